import { CommandFailedError, type Commands, type RunOptions } from './commands.ts'

export interface Call extends RunOptions {
  /** The program's name and its arguments. */
  readonly line: string
}

/** Runs nothing: keeps what was asked for, and answers as it is told. */
export class FakeCommands implements Commands {
  readonly calls: Call[] = []
  readonly #answers: readonly (readonly [RegExp, string | Error])[]

  /** The first pattern that a command's line matches gives its answer; a command that none matches prints nothing. */
  constructor(answers: readonly (readonly [RegExp, string | Error])[] = []) {
    this.#answers = answers
  }

  get lines(): readonly string[] {
    return this.calls.map(({ line }) => line)
  }

  async run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
    const line = [program.split('/').at(-1), ...args].join(' ')
    this.calls.push({ line, ...options })
    const [, answer = ''] = this.#answers.find(([pattern]) => pattern.test(line)) ?? []
    if (typeof answer !== 'string') throw answer
    return answer
  }
}

export function failed(said = ''): CommandFailedError {
  return new CommandFailedError('it', 'ended with 1', said)
}
