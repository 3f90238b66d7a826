import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { stageImage } from '../../../hack/stage-image.ts'
import type { Program } from '../service-process.ts'

const DOCKERFILE = join(import.meta.dirname, '../../../Dockerfile')

/** Fills an empty folder with what the image has below /app, which nobody may write. */
export function stage(folder: string): void {
  stageImage(folder)
  execFileSync('chmod', ['-R', 'a+rX,a-w', folder])
}

/**
 * What Docker would run: the Dockerfile's entry point and user, in the staged folder. May write no file and start no
 * process: Node.js itself refuses that here, as a read-only root file system without a shell does in a pod.
 */
export function imageProgram(folder: string): Program {
  const dockerfile = readFileSync(DOCKERFILE, 'utf8')
  const entry: unknown = JSON.parse(found(dockerfile, /^ENTRYPOINT (\[.*\])$/m))
  if (!Array.isArray(entry)) throw new Error('the entry point is no list')
  const [node, ...rest] = entry.map(String)
  if (node !== '/nodejs/bin/node') throw new Error(`the entry point is ${node}`)
  const uid = Number(found(dockerfile, /^USER (\d+):\d+$/m))
  return {
    command: [
      process.execPath,
      '--permission',
      '--allow-fs-read=*',
      ...rest.map((one) => one.replace(/^\/app\//, `${folder}/`)),
    ],
    bare: true,
    ...(process.getuid?.() === 0 && { uid }),
  }
}

function found(text: string, pattern: RegExp): string {
  const match = pattern.exec(text)?.[1]
  if (match === undefined) throw new Error(`nothing in the Dockerfile fits ${pattern}`)
  return match
}
