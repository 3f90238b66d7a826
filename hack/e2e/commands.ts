import { type ChildProcess, spawn } from 'node:child_process'

export interface RunOptions {
  /** What the program reads. */
  readonly input?: string
  /** Besides the environment of this process. */
  readonly env?: Readonly<Record<string, string>>
  /** Shows what it prints while it runs, instead of giving it back. */
  readonly isShown?: boolean
}

/** Runs programs. */
export interface Commands {
  /**
   * Resolves with what the program printed when it ended well.
   *
   * @throws CommandFailedError when it ended otherwise, or could not be run at all
   */
  run(program: string, args: readonly string[], options?: RunOptions): Promise<string>
}

/** A program that ended with an error, and what it said last. */
export class CommandFailedError extends Error {
  constructor(command: string, outcome: string, said: string) {
    super(`${command} ${outcome}${said === '' ? '' : `:\n${said}`}`)
    this.name = 'CommandFailedError'
  }
}

const LAST_LINES = 30

/** The programs of this machine. When `signal` is aborted, the one that runs is ended. */
export class MachineCommands implements Commands {
  readonly #cwd: string
  readonly #signal: AbortSignal | undefined

  constructor(cwd: string, signal?: AbortSignal) {
    this.#cwd = cwd
    this.#signal = signal
  }

  async run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
    this.#signal?.throwIfAborted()
    const child = this.#start(program, args, options)
    const end = (): boolean => child.kill('SIGTERM')
    this.#signal?.addEventListener('abort', end)
    try {
      const { outcome, printed, said } = await endOf(child)
      this.#signal?.throwIfAborted()
      if (outcome === 'ended with 0') return printed
      throw new CommandFailedError([program.split('/').at(-1), ...args].join(' '), outcome, lastLines(said))
    } finally {
      this.#signal?.removeEventListener('abort', end)
    }
  }

  #start(program: string, args: readonly string[], { input, env = {}, isShown }: RunOptions): ChildProcess {
    const output = isShown ? 'inherit' : 'pipe'
    const child = spawn(program, args, {
      cwd: this.#cwd,
      env: { ...process.env, ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', output, output],
    })
    // One that ends without reading is told by its exit code.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
    return child
  }
}

async function endOf(
  child: ChildProcess,
): Promise<{ readonly outcome: string; readonly printed: string; readonly said: string }> {
  let printed = ''
  let said = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    printed += text
    said += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ outcome: 'could not be run', printed: '', said: error.message }))
    child.on('close', (code, signal) => resolve({ outcome: `ended with ${code ?? signal}`, printed, said }))
  })
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-LAST_LINES).join('\n')
}
