import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../src/common/clock.ts'
import type { Logger } from '../../src/common/log.ts'
import { openTransport } from '../../src/rpc/open-transport.ts'
import type { Broker } from '../scenarios/world.ts'
import type { Account, Installation } from './installation.ts'
import { NatsKeys } from './nats-keys.ts'
import { type ChartNats, startChartNats } from './parts/chart-nats.ts'
import type { ControlPlane } from './parts/control-plane.ts'
import { makeFolder, removeFolder } from './parts/folder.ts'
import { ServiceProcess } from './service-process.ts'

/** NATS as the chart installs it: with its keys, its configuration, and nats-auth to say who may do what. */
export class InstalledNats {
  readonly #installation: Installation
  readonly #keys: NatsKeys
  readonly #nats: ChartNats
  readonly #auth: ServiceProcess
  readonly #dir: string

  private constructor(parts: {
    readonly installation: Installation
    readonly keys: NatsKeys
    readonly nats: ChartNats
    readonly auth: ServiceProcess
    readonly dir: string
  }) {
    this.#installation = parts.installation
    this.#keys = parts.keys
    this.#nats = parts.nats
    this.#auth = parts.auth
    this.#dir = parts.dir
  }

  static async start(plane: ControlPlane, installation: Installation): Promise<InstalledNats> {
    const dir = makeFolder('installed-nats')
    const keys = new NatsKeys(plane, { namespace: installation.namespace, dir })
    await keys.make(await installation.kubeconfig('nats-keys'))
    const nats = await startChartNats(await keys.material())
    const auth = new ServiceProcess(
      ['nats-auth'],
      await natsAuthEnv({ installation, keys, url: nats.url }),
      join(dir, 'nats-auth.log'),
    )
    await auth.start()
    return new InstalledNats({ installation, keys, nats, auth, dir })
  }

  /** What a service is told of it, with a token of its account; an agent's is bound to a Pod of its node. */
  async access(account: Account, node?: string): Promise<Readonly<Record<string, string>>> {
    return {
      KILONOVA_MESSAGING: this.#nats.url,
      KILONOVA_MESSAGING_CA_FILE: this.#keys.caFile,
      KILONOVA_MESSAGING_TOKEN_FILE: await this.#tokenFile(account, node),
    }
  }

  /** For scenarios, which send as nova-api does. */
  async broker(deps: { readonly clock: Clock; readonly log: Logger }): Promise<Broker> {
    const tokenFile = await this.#tokenFile('api')
    const { caFile } = this.#keys
    return {
      goAway: () => this.#nats.kill(),
      comeBack: () => this.#comeBack(),
      wipe: async () => {
        await this.#nats.wipe()
        await this.#comeBack()
      },
      stored: () => this.#nats.stored(),
      connect: () =>
        openTransport(this.#nats.url, deps, { sender: { service: 'api' }, files: { tokenFile, caFile } }),
    }
  }

  async stop(): Promise<void> {
    await this.#auth.kill()
    await this.#nats.stop()
    removeFolder(this.#dir)
  }

  async #comeBack(): Promise<void> {
    await Promise.all(this.#nats.parts.map((part) => part.start()))
  }

  async #tokenFile(account: Account, node?: string): Promise<string> {
    const file = join(this.#dir, [account, node, 'token'].filter(Boolean).join('-'))
    const { audience } = this.#installation.natsAuth
    writeFileSync(file, await this.#installation.token(account, { node, audience }))
    return file
  }
}

/** What `kilonova nats-auth` is told, as the chart has it; under its own account. */
export async function natsAuthEnv(where: {
  readonly installation: Installation
  readonly keys: NatsKeys
  /** Of NATS. */
  readonly url: string
}): Promise<Readonly<Record<string, string>>> {
  const { installation, keys, url } = where
  const { serviceAccounts, audience } = installation.natsAuth
  return {
    KILONOVA_KUBECONFIG: await installation.kubeconfig('nats-auth'),
    KILONOVA_MESSAGING: url,
    KILONOVA_MESSAGING_CA_FILE: keys.caFile,
    KILONOVA_NATS_KEYS_DIR: await keys.folderOf('secrets', 'kilonova-nats-auth'),
    KILONOVA_SERVICE_ACCOUNTS: serviceAccounts,
    KILONOVA_TOKEN_AUDIENCE: audience,
  }
}
