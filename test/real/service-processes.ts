import { join } from 'node:path'
import { ServiceProcess } from './service-process.ts'

type Env = Readonly<Record<string, string>>

/** The services' processes by name, each with its log in a folder. */
export class ServiceProcesses {
  readonly #folder: string
  readonly #envOf: (name: string) => Promise<Env>
  readonly #processes = new Map<string, ServiceProcess>()

  /** @param envOf what every process of a name is told */
  constructor(folder: string, envOf: (name: string) => Promise<Env>) {
    this.#folder = folder
    this.#envOf = envOf
  }

  /** @param own settings of this process alone */
  async start(name: string, own: Env = {}): Promise<void> {
    const env = { ...(await this.#envOf(name)), ...own }
    const process = new ServiceProcess(argumentsOf(name), env, join(this.#folder, `${name}.log`))
    this.#processes.set(name, process)
    await process.start()
  }

  async stop(name: string): Promise<void> {
    await this.#processes.get(name)?.stop()
  }

  async kill(name: string): Promise<void> {
    await this.#processes.get(name)?.kill()
  }

  log(name: string): string {
    return this.#processes.get(name)?.log() ?? ''
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((one) => one.kill()))
  }
}

/** `nova-compute-node-1` is the agent of node-1; `nova-scheduler-2` a second scheduler. */
export function partsOf(name: string): { readonly service: string; readonly rest: string } {
  const [, service = '', rest = ''] = /^nova-([a-z]+)(?:-(.*))?$/.exec(name) ?? []
  return { service, rest }
}

function argumentsOf(name: string): readonly string[] {
  const { service, rest } = partsOf(name)
  return service === 'compute' ? [service, '--host', rest] : [service]
}
