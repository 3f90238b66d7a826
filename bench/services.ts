import { mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Part } from '../test/real/parts/part.ts'
import { AGENTS, MAIN, nodeFlags } from './build.ts'
import { cpuSeconds, type Memory, memoryOf } from './processes.ts'
import type { Counts } from './statistics.ts'
import type { UserName, World } from './world.ts'

const READY_WITHIN_MS = 60_000

/** Our processes; the name says what is in them. */
export const SERVICES = ['api', 'scheduler', 'conductor', 'compute-many', 'compute-one'] as const
export type ServiceName = (typeof SERVICES)[number]

/** Kilonova's processes, from the built JavaScript, each with its own user on the API server. */
export class Services {
  readonly #world: World
  readonly #logs: string
  readonly #profile: string | undefined
  readonly #parts = new Map<ServiceName, Part>()

  constructor(
    world: World,
    options: { readonly profile: string | undefined; readonly logs: string | undefined },
  ) {
    this.#world = world
    this.#logs = resolve(options.logs ?? join(world.folder, 'logs'))
    this.#profile = options.profile
    mkdirSync(this.#logs, { recursive: true })
  }

  async start(): Promise<void> {
    const { hosts } = this.#world
    await Promise.all([
      this.#start('conductor', 'nova-conductor', ['conductor']),
      this.#start('scheduler', 'nova-scheduler', ['scheduler']),
      this.#start('api', 'nova-api', ['api']),
    ])
    const [alone = '', ...others] = hosts
    await Promise.all([
      this.#start('compute-one', 'nova-compute', ['compute', '--host', alone]),
      this.#start('compute-many', 'nova-compute', others),
    ])
  }

  async stop(): Promise<void> {
    const stop = async (names: readonly ServiceName[]): Promise<void> => {
      await Promise.all(names.map(async (name) => this.#parts.get(name)?.stop()))
    }
    // The agents first: they need the others to finish what they have begun.
    await stop(['compute-many', 'compute-one'])
    await stop(['api', 'scheduler', 'conductor'])
  }

  pid(name: ServiceName): number {
    const pid = this.#parts.get(name)?.pid
    if (pid === undefined)
      throw new Error(`${name} does not run any more; see its log: npm run bench -- --logs DIR`)
    return pid
  }

  cpu(): Counts {
    return Object.fromEntries(SERVICES.map((name) => [name, cpuSeconds(this.pid(name))]))
  }

  memory(): Readonly<Record<string, Memory>> {
    return Object.fromEntries(SERVICES.map((name) => [name, memoryOf(this.pid(name))]))
  }

  async #start(name: ServiceName, user: UserName, args: readonly string[]): Promise<void> {
    const { nats } = this.#world
    const logFile = join(this.#logs, `${name}.log`)
    const kubeconfig = this.#world.kubeconfigOf(user)
    const isMany = name === 'compute-many'
    const how = isMany
      ? [AGENTS, MAIN, kubeconfig, nats.url, ...args]
      : [MAIN, ...args, '--kubeconfig', kubeconfig, '--messaging', nats.url]
    const part = new Part({
      name,
      program: process.execPath,
      args: [...nodeFlags(), ...this.#profileArgs(name), ...how],
      logFile,
      isReady: () => Promise.resolve(startsIn(logFile) >= (isMany ? args.length : 1)),
      readyWithinMs: READY_WITHIN_MS,
    })
    this.#parts.set(name, part)
    await part.start()
  }

  #profileArgs(name: ServiceName): string[] {
    if (this.#profile === undefined) return []
    return ['--cpu-prof', `--cpu-prof-dir=${resolve(this.#profile)}`, `--cpu-prof-name=${name}.cpuprofile`]
  }
}

/** How many services say in the log that they have started. */
function startsIn(logFile: string): number {
  return readFileSync(logFile, 'utf8').match(/ nova\.service .* Started nova-/g)?.length ?? 0
}
