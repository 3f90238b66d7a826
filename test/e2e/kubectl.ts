import type { Commands } from '../../hack/e2e/commands.ts'

/** kubectl on one cluster. */
export class Kubectl {
  readonly #commands: Commands
  readonly #program: string
  readonly #kubeconfig: string

  constructor(commands: Commands, options: { readonly program: string; readonly kubeconfig: string }) {
    this.#commands = commands
    this.#program = options.program
    this.#kubeconfig = options.kubeconfig
  }

  /**
   * Gives what it prints.
   *
   * @throws CommandFailedError with what it complained of
   */
  async run(...args: readonly string[]): Promise<string> {
    return this.#commands.run(this.#program, [`--kubeconfig=${this.#kubeconfig}`, ...args])
  }
}
