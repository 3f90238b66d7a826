import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SystemClock, toTimestamp } from '../src/common/clock.ts'
import { seedCatalogue } from '../src/objects/catalogue.ts'
import { installCrds, kilonovaCrds, kubevirtCrds } from '../src/dev/crds.ts'
import { createNode, NODE, nodeNames } from '../src/dev/nodes.ts'
import { HttpKubeClient } from '../src/kube/http-client.ts'
import { loadKubeConfig } from '../src/kube/kube-config.ts'
import { type ControlPlane, startControlPlane } from '../test/real/parts/control-plane.ts'
import { makeFolder, removeFolder } from '../test/real/parts/folder.ts'
import { type NatsServer, startNats } from '../test/real/parts/nats.ts'
import { AUDIT_POLICY } from './audit.ts'

/** Everybody has a name of their own, so that the audit log can tell whose write it was. */
export const USERS = [
  'nova-api',
  'nova-scheduler',
  'nova-conductor',
  'nova-compute',
  'kubevirt',
  'user',
] as const
export type UserName = (typeof USERS)[number]

/** A node with room for all instances of a run. */
const ROOMY = {
  cpu: '128',
  memory: '1024Gi',
  'ephemeral-storage': '4000Gi',
  'devices.kubevirt.io/kvm': '1000',
  pods: '1000',
}

/** What Kilonova runs on: a real API server with CRDs, flavors, an image and nodes, and a real broker. */
export class World {
  readonly plane: ControlPlane
  readonly nats: NatsServer
  readonly hosts: readonly string[]
  /** Files of this run: logs and what else need not stay. */
  readonly folder: string
  readonly auditLog: string
  readonly #clients: HttpKubeClient[] = []

  private constructor(parts: Pick<World, 'plane' | 'nats' | 'hosts' | 'folder' | 'auditLog'>) {
    this.plane = parts.plane
    this.nats = parts.nats
    this.hosts = parts.hosts
    this.folder = parts.folder
    this.auditLog = parts.auditLog
  }

  /** etcd and nats-server sync to disk as they do by default. */
  static async start(options: {
    readonly nodes: number
    readonly isAudited?: boolean
    /** The API server gives profiles of itself. */
    readonly isProfiled?: boolean
  }): Promise<World> {
    const folder = makeFolder('bench')
    const auditLog = join(folder, 'audit.log')
    const policy = join(folder, 'audit-policy.yaml')
    writeFileSync(policy, AUDIT_POLICY)
    const audit = [`--audit-policy-file=${policy}`, `--audit-log-path=${auditLog}`]
    const [plane, nats] = await Promise.all([
      startControlPlane({
        fsync: true,
        users: USERS.map((name) => ({ name, groups: ['system:masters'] })),
        extraArgs: [...(options.isAudited ? audit : []), ...(options.isProfiled ? ['--profiling=true'] : [])],
      }),
      startNats(),
    ])
    const hosts = nodeNames(options.nodes)
    const world = new World({ plane, nats, hosts, folder, auditLog })
    await world.#furnish()
    return world
  }

  kubeconfigOf(user: UserName): string {
    const path = this.plane.users.get(user)?.kubeconfigPath
    if (path === undefined) throw new Error(`there is no user ${user}`)
    return path
  }

  /** The client that our services use, too. */
  openClient(user: UserName): HttpKubeClient {
    const config = loadKubeConfig({ path: this.kubeconfigOf(user) })
    const client = HttpKubeClient.fromKubeConfig(config, {
      clock: new SystemClock(),
      userAgent: `bench/${user}`,
    })
    this.#clients.push(client)
    return client
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
    await Promise.all([this.plane.stop(), this.nats.stop()])
    removeFolder(this.folder)
  }

  async #furnish(): Promise<void> {
    const clock = new SystemClock()
    const client = this.openClient('user')
    await installCrds({ client, clock }, [...kilonovaCrds(), ...kubevirtCrds()], { replace: false })
    await seedCatalogue(client)
    const now = toTimestamp(clock.now())
    for (const name of this.hosts) {
      await createNode(client, name, now)
      const status = { capacity: ROOMY, allocatable: ROOMY }
      await client.mergePatch(NODE, { name }, { status }, { subresource: 'status' })
    }
  }
}
