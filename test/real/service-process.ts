import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { killAtExit, leaveAtExit } from './parts/keeper.ts'

export const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const POLL_MS = 20
const START_TIMEOUT_MS = 110_000

/** What is started, and as whom. */
export interface Program {
  /** Goes before the service's own arguments. */
  readonly command: readonly string[]
  /** Another user's, where we may choose. */
  readonly uid?: number
  /** Without the environment of the tests. */
  readonly bare?: boolean
}

const FROM_SOURCE: Program = { command: [process.execPath, MAIN] }

/** One of our services as a process of its own: `kilonova api`, `kilonova compute --host node-1`. */
export class ServiceProcess {
  readonly #args: readonly string[]
  readonly #env: Readonly<Record<string, string>>
  readonly #logFile: string
  readonly #program: Program
  #child: ChildProcess | undefined

  constructor(
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    logFile: string,
    program: Program = FROM_SOURCE,
  ) {
    this.#args = args
    this.#env = env
    this.#logFile = logFile
    this.#program = program
  }

  /** Resolves when the service says that it has started. */
  async start(): Promise<void> {
    const before = this.log().length
    const log = openSync(this.#logFile, 'a')
    const { command, uid, bare = false } = this.#program
    const [file = '', ...first] = command
    const child = spawn(file, [...first, ...this.#args], {
      env: { ...(!bare && process.env), ...this.#env },
      stdio: ['ignore', log, log],
      ...(uid !== undefined && { uid, gid: uid }),
    })
    closeSync(log)
    this.#child = child
    if (child.pid !== undefined) killAtExit(child.pid)
    const deadline = Date.now() + START_TIMEOUT_MS
    while (!this.log().slice(before).includes('] Started nova-')) {
      if (child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`kilonova ${this.#args.join(' ')} did not start:\n${this.log().slice(-2000)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  /** SIGTERM: it drains. Fails when it does not end as it should, with exit code 0. */
  async stop(): Promise<void> {
    const child = this.#child
    await this.#end('SIGTERM')
    if (!child || child.exitCode === 0) return
    const how = child.exitCode ?? child.signalCode
    throw new Error(`kilonova ${this.#args.join(' ')} ended with ${how}:\n${this.log().slice(-2000)}`)
  }

  /** SIGKILL: it ends in the middle of whatever it does. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  log(): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8') : ''
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
    if (child.pid !== undefined) leaveAtExit(child.pid)
  }
}
