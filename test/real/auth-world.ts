import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Sender } from '../../src/rpc/sender.ts'
import { Peer } from './auth-peer.ts'
import { type Account, Installation, type TokenOptions } from './installation.ts'
import { natsAuthEnv } from './installed-nats.ts'
import { NatsKeys } from './nats-keys.ts'
import { type ChartNats, startChartNats } from './parts/chart-nats.ts'
import { type ControlPlane, startControlPlane } from './parts/control-plane.ts'
import { makeFolder, removeFolder } from './parts/folder.ts'
import { ask } from './requests.ts'
import { ServiceProcess } from './service-process.ts'

/** A control plane with the chart's rights, and NATS as the chart has it, with keys that `kilonova nats-keys` made. */
export class AuthWorld {
  readonly plane: ControlPlane
  readonly installation: Installation
  readonly keys: NatsKeys
  readonly #dir: string
  readonly #processes = new Map<string, ServiceProcess>()
  readonly #brokers: ChartNats[] = []
  readonly #peers: Peer[] = []
  #made = 0

  private constructor(plane: ControlPlane, installation: Installation) {
    this.plane = plane
    this.installation = installation
    this.#dir = makeFolder('auth')
    this.keys = new NatsKeys(plane, { namespace: installation.namespace, dir: this.#dir })
  }

  static async start(): Promise<AuthWorld> {
    const plane = await startControlPlane()
    try {
      return new AuthWorld(plane, await Installation.apply(plane))
    } catch (error) {
      await plane.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    await this.leave()
    await Promise.all([...this.#processes.values()].map((one) => one.kill()))
    await Promise.all(this.#brokers.map((one) => one.stop()))
    await this.plane.stop()
    removeFolder(this.#dir)
  }

  /** Runs `kilonova nats-keys` under its own account; its log. */
  async makeKeys(more: readonly string[] = []): Promise<string> {
    return this.keys.make(await this.installation.kubeconfig('nats-keys'), more)
  }

  /** Runs `kilonova nats-keys --renew-only` under its own account; its log. */
  async renewKeys(): Promise<string> {
    return this.keys.make(await this.installation.kubeconfig('nats-renew'), ['--renew-only'])
  }

  /** NATS with the keys there are, as the chart's pods get them. */
  async startNats(replicas = 1): Promise<ChartNats> {
    const nats = await startChartNats(await this.keys.material(), replicas)
    this.#brokers.push(nats)
    return nats
  }

  /** `kilonova nats-auth` under its own account, by a name of its own; not started yet. */
  async natsAuth(name: string, nats: ChartNats, args: readonly string[] = []): Promise<ServiceProcess> {
    const env = await natsAuthEnv({ installation: this.installation, keys: this.keys, url: nats.url })
    const process = new ServiceProcess(
      ['nats-auth', ...args],
      { ...env, KILONOVA_LOG_LEVEL: 'debug' },
      join(this.#dir, `${name}.log`),
    )
    this.#processes.set(name, process)
    return process
  }

  /** `kilonova nats-reload` beside each server, as the chart's pods have it. */
  async startReloaders(nats: ChartNats): Promise<ServiceProcess[]> {
    const started = nats.pods.map(({ certificates, pidFile, monitor }, index) => {
      const name = `nats-reload-${index}`
      const args = ['--certificates', certificates, '--pid-file', pidFile, '--monitor', monitor]
      const process = new ServiceProcess(
        ['nats-reload', ...args, '--check-interval', '0.1'],
        {},
        join(this.#dir, `${name}.log`),
      )
      this.#processes.set(name, process)
      return process
    })
    await Promise.all(started.map((one) => one.start()))
    return started
  }

  /** A token for the broker, unless it is for another, as kubelet asks for one in the name of a Pod. */
  async token(account: Account, options: TokenOptions = {}): Promise<string> {
    const { audience } = this.installation.natsAuth
    return this.installation.token(account, { audience, ...options })
  }

  /** A client that shows a token, which is in a file and may be written anew. */
  async peer(nats: ChartNats, sender: Sender, token: string): Promise<Peer> {
    const tokenFile = join(this.#dir, `token-${++this.#made}`)
    writeFileSync(tokenFile, token)
    const replicas = nats.parts.length
    const peer = new Peer(nats.url, sender, { tokenFile, caFile: this.keys.caFile, replicas })
    this.#peers.push(peer)
    return peer
  }

  /** A service with the token that it has, and what it takes. */
  async service(nats: ChartNats, sender: Sender): Promise<Peer> {
    const peer = await this.peer(nats, sender, await this.tokenOf(sender))
    await peer.serve()
    return peer
  }

  tokenOf(sender: Sender): Promise<string> {
    return this.token(sender.service, sender.service === 'compute' ? { node: sender.host } : {})
  }

  /** Every client that is still there goes. */
  async leave(): Promise<void> {
    await Promise.all(this.#peers.splice(0).map((peer) => peer.stop()))
  }

  async deleteObject(kind: 'secrets' | 'serviceaccounts', name: string): Promise<void> {
    const path = `/api/v1/namespaces/${this.installation.namespace}/${kind}/${name}`
    const answer = await ask(this.plane, {}, { method: 'DELETE', path })
    if (answer.status !== 200) throw new Error(`${kind}/${name} is still there: ${answer.message}`)
  }
}
