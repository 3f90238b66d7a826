import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Sender } from '../../src/rpc/sender.ts'
import { Peer } from './auth-peer.ts'
import { NatsKeys } from './nats-keys.ts'
import { type ChartNats, startChartNats } from './parts/chart-nats.ts'
import { type ControlPlane, startControlPlane } from './parts/control-plane.ts'
import { makeFolder, removeFolder } from './parts/folder.ts'
import { kubeconfig } from './parts/users.ts'
import { ask } from './requests.ts'
import { ServiceProcess } from './service-process.ts'

export const NAMESPACE = 'kilonova-system'
export const AUDIENCE = 'nats.kilonova.dev'
/** Those that clients of NATS run under, one a service. */
const SERVICES = ['api', 'scheduler', 'conductor', 'compute', 'check'] as const
const ACCOUNTS = [...SERVICES, 'nats-auth', 'nats-keys', 'stranger'] as const
export type Account = (typeof ACCOUNTS)[number]

/** What each of the two needs of the API server, and no more. */
const RIGHTS: Readonly<Record<'nats-auth' | 'nats-keys', readonly object[]>> = {
  'nats-auth': [{ apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] }],
  'nats-keys': [
    { apiGroups: [''], resources: ['secrets', 'configmaps'], verbs: ['create'] },
    {
      apiGroups: [''],
      resources: ['secrets'],
      resourceNames: ['kilonova-nats-auth', 'kilonova-nats-server', 'kilonova-nats-ca-key'],
      verbs: ['get', 'update'],
    },
    {
      apiGroups: [''],
      resources: ['configmaps'],
      resourceNames: ['kilonova-nats-ca'],
      verbs: ['get', 'update'],
    },
  ],
}

const named = z.looseObject({ metadata: z.looseObject({ uid: z.string() }) })
const tokenRequest = z.looseObject({ status: z.looseObject({ token: z.string() }) })

export interface TokenOptions {
  /** The Pod that the token is bound to runs on this node; without one it is bound to no Pod. */
  readonly node?: string
  readonly audience?: string
}

/** A control plane, and NATS as the chart has it, with keys that `kilonova nats-keys` made. */
export class AuthWorld {
  readonly plane: ControlPlane
  readonly dir: string
  readonly keys: NatsKeys
  readonly #processes = new Map<string, ServiceProcess>()
  readonly #brokers: ChartNats[] = []
  readonly #peers: Peer[] = []
  #made = 0

  private constructor(plane: ControlPlane, dir: string) {
    this.plane = plane
    this.dir = dir
    this.keys = new NatsKeys(plane, { namespace: NAMESPACE, dir })
  }

  static async start(): Promise<AuthWorld> {
    const plane = await startControlPlane()
    const world = new AuthWorld(plane, makeFolder('auth'))
    await world.#post('/api/v1/namespaces', { kind: 'Namespace', metadata: { name: NAMESPACE } })
    for (const account of ACCOUNTS) {
      await world.#post(`/api/v1/namespaces/${NAMESPACE}/serviceaccounts`, {
        kind: 'ServiceAccount',
        metadata: { name: `kilonova-${account}` },
      })
    }
    await world.#grant('nats-auth', 'clusterroles', '')
    await world.#grant('nats-keys', 'roles', `/namespaces/${NAMESPACE}`)
    return world
  }

  async stop(): Promise<void> {
    await this.leave()
    await Promise.all([...this.#processes.values()].map((one) => one.kill()))
    await Promise.all(this.#brokers.map((one) => one.stop()))
    await this.plane.stop()
    removeFolder(this.dir)
  }

  /** Runs `kilonova nats-keys` under its own account; its log. */
  async makeKeys(more: readonly string[] = []): Promise<string> {
    return this.keys.make(await this.kubeconfig('nats-keys'), more)
  }

  /** NATS with the keys there are, as the chart's pods get them. */
  async startNats(replicas = 1): Promise<ChartNats> {
    const nats = await startChartNats(await this.keys.material(), replicas)
    this.#brokers.push(nats)
    return nats
  }

  /** `kilonova nats-auth` under its own account, by a name of its own; not started yet. */
  async natsAuth(name: string, nats: ChartNats, args: readonly string[] = []): Promise<ServiceProcess> {
    const process = new ServiceProcess(
      ['nats-auth', ...args],
      {
        KILONOVA_KUBECONFIG: await this.kubeconfig('nats-auth'),
        KILONOVA_MESSAGING: nats.url,
        KILONOVA_MESSAGING_CA_FILE: this.keys.caFile,
        KILONOVA_NATS_KEYS_DIR: await this.keys.folderOf('secrets', 'kilonova-nats-auth'),
        KILONOVA_SERVICE_ACCOUNTS: SERVICES.map((one) => `${one}=${NAMESPACE}/kilonova-${one}`).join(','),
        KILONOVA_LOG_LEVEL: 'debug',
      },
      join(this.dir, `${name}.log`),
    )
    this.#processes.set(name, process)
    return process
  }

  /** A token as kubelet asks for one in the name of a Pod. */
  async token(account: Account, options: TokenOptions = {}): Promise<string> {
    const { node, audience = AUDIENCE } = options
    const bound = node === undefined ? {} : { boundObjectRef: await this.#makePod(account, node) }
    const body = await this.#post(
      `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/kilonova-${account}/token`,
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { audiences: audience === '' ? [] : [audience], expirationSeconds: 600, ...bound },
      },
    )
    return tokenRequest.parse(body).status.token
  }

  /** A client that shows a token, which is in a file and may be written anew. */
  async peer(nats: ChartNats, sender: Sender, token: string): Promise<Peer> {
    const tokenFile = join(this.dir, `token-${++this.#made}`)
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

  async kubeconfig(account: Account): Promise<string> {
    // One for each: several may be asked for at once.
    const path = join(this.dir, `kubeconfig-${account}-${++this.#made}`)
    const token = await this.token(account, { audience: '' })
    writeFileSync(path, kubeconfig(account, token, this.plane), { mode: 0o600 })
    return path
  }

  /** Pods that are gone at once, and with them the tokens that are bound to them. */
  async deletePods(): Promise<void> {
    const path = `/api/v1/namespaces/${NAMESPACE}/pods?gracePeriodSeconds=0`
    await ask(this.plane, {}, { method: 'DELETE', path })
  }

  async deleteObject(kind: 'secrets' | 'serviceaccounts', name: string): Promise<void> {
    const path = `/api/v1/namespaces/${NAMESPACE}/${kind}/${name}`
    await ask(this.plane, {}, { method: 'DELETE', path })
  }

  async #makePod(account: Account, node: string): Promise<object> {
    const name = `${account}-${++this.#made}`
    const body = await this.#post(`/api/v1/namespaces/${NAMESPACE}/pods`, {
      kind: 'Pod',
      metadata: { name },
      spec: {
        serviceAccountName: `kilonova-${account}`,
        nodeName: node,
        containers: [{ name: 'kilonova', image: 'kilonova' }],
      },
    })
    return { apiVersion: 'v1', kind: 'Pod', name, uid: named.parse(body).metadata.uid }
  }

  async #grant(account: 'nats-auth' | 'nats-keys', roles: string, scope: string): Promise<void> {
    const group = 'rbac.authorization.k8s.io'
    const path = `/apis/${group}/v1${scope}`
    const kind = roles === 'roles' ? 'Role' : 'ClusterRole'
    const base = { apiVersion: `${group}/v1`, metadata: { name: `kilonova-${account}` } }
    await this.#post(`${path}/${roles}`, { ...base, kind, rules: RIGHTS[account] })
    await this.#post(`${path}/${roles.replace(/s$/, 'bindings')}`, {
      ...base,
      kind: `${kind}Binding`,
      roleRef: { apiGroup: group, kind, name: `kilonova-${account}` },
      subjects: [{ kind: 'ServiceAccount', namespace: NAMESPACE, name: `kilonova-${account}` }],
    })
  }

  async #post(path: string, object: object): Promise<unknown> {
    const body = { apiVersion: 'v1', ...object }
    const answer = await ask(this.plane, {}, { method: 'POST', path, body })
    if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.message}`)
    return answer.body
  }
}
