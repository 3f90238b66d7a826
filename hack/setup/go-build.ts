import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { Environment } from './cache.ts'
import { findOnPath, isProgram } from './find.ts'
import { throwawayGoMod } from './go-mod.ts'
import { type Log, withTicks } from './progress.ts'
import type { Tool } from './tools.ts'

const USUAL_GO = '/usr/local/go/bin/go'

const Download = z.object({ GoMod: z.string().optional(), Error: z.string().optional() })

export interface BuildOptions {
  readonly folder: string
  readonly env: Environment
  readonly log: Log
  readonly signal: AbortSignal
}

export function findGo(env: Environment): string | undefined {
  return findOnPath('go', env) ?? (isProgram(USUAL_GO) ? USUAL_GO : undefined)
}

/** Builds a tool from its published Go module (Go checks the module sums) and gives the program's path. */
export async function buildWithGo(tool: Tool, options: BuildOptions): Promise<string> {
  const go = findGo(options.env)
  if (go === undefined) throw new Error('Go is not installed')
  writeFileSync(join(options.folder, 'go.mod'), await makeGoMod(go, tool, options))

  const program = join(options.folder, tool.name)
  const args = ['build', '-mod=mod', '-buildvcs=false', '-trimpath', '-v', '-o', program]
  args.push('-ldflags', ['-s -w', ...tool.go.ldflags].join(' '), tool.go.package)
  let packages = 0
  let modules = 0
  const onLine = (line: string) => {
    if (line.startsWith('go: downloading ')) modules += 1
    else packages += 1
  }
  await withTicks(
    options.log,
    () => `building with Go, ${modules} modules downloaded, ${packages} packages compiled`,
    () => runGo(go, args, { ...options, onLine }),
  )
  return program
}

async function makeGoMod(go: string, tool: Tool, options: BuildOptions): Promise<string> {
  const module = `${tool.go.module}@v${tool.version}`
  // It writes its error as JSON too, which says more than its exit code.
  const answer = await runGo(go, ['mod', 'download', '-json', module], { ...options, mayFail: true })
  const download = Download.safeParse(parseJson(answer))
  if (!download.success) throw new Error(`go mod download ${module} gave no answer: ${answer.trim()}`)
  if (download.data.GoMod === undefined) throw new Error(download.data.Error ?? `${module} has no go.mod`)
  return throwawayGoMod(tool.go, tool.version, readFileSync(download.data.GoMod, 'utf8'))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

interface RunOptions extends BuildOptions {
  readonly onLine?: (stderrLine: string) => void
  readonly mayFail?: boolean
}

async function runGo(go: string, args: readonly string[], options: RunOptions): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const child = spawn(go, args, {
    cwd: options.folder,
    env: { ...options.env, CGO_ENABLED: '0', GOWORK: 'off', GOOS: '', GOARCH: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: options.signal,
  })
  lowerPriority(child.pid)
  const stdout: string[] = []
  const stderr: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => stdout.push(text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr.push(text)
    for (const line of text.split('\n')) if (line !== '') options.onLine?.(line)
  })
  child.on('error', reject)
  child.on('close', (code, signal) => {
    if (code === 0 || (options.mayFail === true && stdout.length > 0)) resolve(stdout.join(''))
    else reject(new Error(`go ${args[0]} ended with ${code ?? signal}: ${tellingLines(stderr.join(''))}`))
  })
  return promise
}

/** All that is not `-v` chatter: package paths and downloads are one word or begin with "go: downloading". */
function tellingLines(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.includes(' ') && !line.startsWith('go: downloading'))
  return lines.slice(-8).join('\n').trim() || stderr.trim().split('\n').slice(-3).join('\n')
}

/** A build takes all the cores for minutes: whatever else the machine is doing goes first. */
function lowerPriority(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // It has ended already, or the system forbids it; the build works just as well.
  }
}
