import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Part } from '../test/real/parts/part.ts'
import { cpuSeconds } from './processes.ts'
import type { Counts } from './statistics.ts'
import type { World } from './world.ts'

/** The process in which the stand-in for KubeVirt runs. It is not ours to be measured, but it is told of. */
export class Guests {
  readonly #part: Part

  constructor(world: World) {
    const logFile = join(world.folder, 'stand-in.log')
    this.#part = new Part({
      name: 'the stand-in for KubeVirt',
      program: process.execPath,
      args: [join(import.meta.dirname, 'stand-in.ts'), world.kubeconfigOf('kubevirt')],
      logFile,
      isReady: () => Promise.resolve(/^ready$/m.test(readFileSync(logFile, 'utf8'))),
      readyWithinMs: 30_000,
    })
  }

  async start(): Promise<void> {
    await this.#part.start()
  }

  async stop(): Promise<void> {
    await this.#part.stop()
  }

  cpu(): number {
    if (this.#part.pid === undefined) throw new Error('the stand-in for KubeVirt does not run any more')
    return cpuSeconds(this.#part.pid)
  }

  /** As it told last, a fifth of a second ago at most. */
  writes(): Counts {
    const line = readFileSync(this.#part.logFile, 'utf8')
      .split('\n')
      .findLast((each) => each.startsWith('writes '))
    return line === undefined ? {} : (JSON.parse(line.slice('writes '.length)) as Counts)
  }
}
