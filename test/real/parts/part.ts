import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { leaveAtExit, killAtExit } from './keeper.ts'
import { isPortRace } from './ports.ts'

export interface PartOptions {
  readonly name: string
  readonly program: string
  readonly args: readonly string[]
  /** Besides ours. */
  readonly env?: Readonly<Record<string, string>>
  /** Takes its output; a restart appends. */
  readonly logFile: string
  /** Whether it serves by now. May throw, which means no. */
  readonly isReady: () => Promise<boolean>
  readonly readyWithinMs: number
}

const POLL_MS = 25
const STOP_WITHIN_MS = 10_000
const LOG_TAIL_LINES = 30

/** One server as a child process, which can be stopped, killed and started again with the same arguments. */
export class Part {
  readonly name: string
  readonly logFile: string
  readonly #options: PartOptions
  #child: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()
  #logStart = 0

  constructor(options: PartOptions) {
    this.name = options.name
    this.logFile = options.logFile
    this.#options = options
  }

  /** Undefined while it is not running. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  get running(): boolean {
    return this.#child !== undefined
  }

  /** Resolves when it serves; fails with the tail of its log when it ends before that or takes too long. */
  async start(): Promise<void> {
    if (this.running) return
    this.#spawn()
    const deadline = Date.now() + this.#options.readyWithinMs
    while (!(await this.#isReady())) {
      if (!this.running) throw new Error(`${this.name} ended before it was ready${this.#logTail()}`)
      if (Date.now() > deadline) {
        await this.kill()
        const seconds = Math.round(this.#options.readyWithinMs / 1000)
        throw new Error(`${this.name} was not ready within ${seconds} s${this.#logTail()}`)
      }
      await sleep(POLL_MS)
    }
  }

  /** Ends it in an orderly way, by force when that takes more than ten seconds. Nothing if it is not running. */
  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM')
    const force = setTimeout(() => this.#child?.kill('SIGKILL'), STOP_WITHIN_MS)
    await this.#ended
    clearTimeout(force)
  }

  /** Ends it as a crash would, with SIGKILL. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#ended
  }

  /** Starts it again, after an orderly stop if it is running. */
  async restart(): Promise<void> {
    await this.stop()
    const deadline = Date.now() + this.#options.readyWithinMs
    for (;;) {
      try {
        await this.start()
        return
      } catch (error) {
        // Its port has to stay the same, so wait until whoever took it meanwhile is gone.
        if (!isPortRace(error) || Date.now() > deadline) throw error
        await sleep(200)
      }
    }
  }

  #spawn(): void {
    const { program, args, env, logFile } = this.#options
    const log = openSync(logFile, 'a')
    this.#logStart = fstatSync(log).size
    // In a process group of its own, so that a Ctrl-C at the terminal leaves the order of the end to us.
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
      detached: true,
    })
    closeSync(log)
    this.#child = child
    const { pid } = child
    if (pid !== undefined) killAtExit(pid)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#ended = promise
    const ended = () => {
      if (pid !== undefined) leaveAtExit(pid)
      this.#child = undefined
      resolve()
    }
    child.once('exit', ended)
    child.once('error', ended)
  }

  async #isReady(): Promise<boolean> {
    try {
      // Something else could be answering on the port, so ours has to be running after the answer.
      return (await this.#options.isReady()) && this.running
    } catch {
      return false
    }
  }

  /** Of this run only: an older one may have failed for a reason that is none now. */
  #logTail(): string {
    const lines = readFileSync(this.logFile).subarray(this.#logStart).toString().trimEnd().split('\n')
    return `; its log ends with:\n${lines.slice(-LOG_TAIL_LINES).join('\n')}`
  }
}
