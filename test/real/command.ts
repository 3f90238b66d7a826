import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { program } from './parts/programs.ts'
import { MAIN } from './service-process.ts'

export interface Outcome {
  readonly failed: boolean
  readonly out: string
  readonly err: string
}

/** helm and kubectl as an administrator types them, with settings of their own. */
export class CommandLine {
  readonly #env: NodeJS.ProcessEnv

  /** Without a kubeconfig only what needs no cluster works. */
  constructor(folder: string, kubeconfigPath = join(folder, 'no-kubeconfig')) {
    const home = join(folder, 'helm')
    mkdirSync(home, { recursive: true })
    this.#env = {
      ...process.env,
      KUBECONFIG: kubeconfigPath,
      HELM_CACHE_HOME: join(home, 'cache'),
      HELM_CONFIG_HOME: join(home, 'config'),
      HELM_DATA_HOME: join(home, 'data'),
    }
  }

  /** Runs it to its end, whatever that is. */
  run(name: 'helm' | 'kubectl', args: readonly string[], input = ''): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    const options = { env: this.#env, maxBuffer: 2 ** 26, timeout: 100_000 }
    const child = execFile(program(name), args, options, (error, out, err) => {
      resolve({ failed: error !== null, out, err })
    })
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
    return promise
  }

  /**
   * What it prints.
   * @throws Error with what it said, if it fails
   */
  async must(name: 'helm' | 'kubectl', args: readonly string[], input = ''): Promise<string> {
    const { failed, out, err } = await this.run(name, args, input)
    if (failed) throw new Error(`${name} ${args.join(' ')} failed:\n${err}${out}`)
    return out
  }
}

export interface Exit {
  readonly exitCode: number | null
  readonly out: string
  readonly err: string
}

/** `kilonova` as a user types it, run to its end. One that takes longer than any time limit it was given has no exit code. */
export function runKilonova(
  args: readonly string[],
  { env = {}, input = '' }: { readonly env?: NodeJS.ProcessEnv; readonly input?: string } = {},
): Promise<Exit> {
  const { promise, resolve } = Promise.withResolvers<Exit>()
  const options = { env: { ...process.env, ...env }, timeout: 60_000 }
  const child = execFile(process.execPath, [MAIN, ...args], options, (_error, out, err) => {
    resolve({ exitCode: child.exitCode, out, err })
  })
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(input)
  return promise
}
