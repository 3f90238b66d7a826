import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { parse } from 'yaml'
import { SystemClock, toTimestamp } from '../../src/common/clock.ts'
import { loggerTo } from '../../src/common/log.ts'
import { seedCatalogue } from '../../src/objects/catalogue.ts'
import { type CustomResourceDefinition, installCrds, kilonovaCrds } from '../../src/dev/crds.ts'
import { AggregatedApi } from '../../src/dev/kubevirt/aggregated-api.ts'
import { InstanceFollower } from '../../src/dev/instance-follower.ts'
import { Kubelet } from '../../src/dev/kubevirt/kubelet.ts'
import { KubeVirtStandIn } from '../../src/dev/kubevirt/stand-in.ts'
import { createNode, nodeNames } from '../../src/dev/nodes.ts'
import { HttpKubeClient } from '../../src/kube/http-client.ts'
import { loadKubeConfig } from '../../src/kube/kube-config.ts'
import { openTransport } from '../../src/rpc/open-transport.ts'
import { installKubeVirt, uninstallKubeVirt } from '../scenarios/kubevirt-crds.ts'
import { makeNamespace } from '../scenarios/namespaces.ts'
import { type Broker, QUICK, type World, type WorldOptions } from '../scenarios/world.ts'
import { type Account, Installation } from './installation.ts'
import { InstalledNats } from './installed-nats.ts'
import { type ControlPlane, startControlPlane } from './parts/control-plane.ts'
import { kubevirtCrdFiles } from './parts/crds.ts'
import { InstanceGarbage } from './parts/instance-garbage.ts'
import { type NatsServer, startNats } from './parts/nats.ts'
import { partsOf, ServiceProcesses } from './service-processes.ts'

const silent = loggerTo(() => undefined, { format: 'text', level: 'error' })
const clock = new SystemClock()

export interface RealWorldOptions {
  /**
   * As the chart installs them: the services have its accounts and with them exactly its rights, its policies are at
   * work, and NATS asks nats-auth who they are. Told of what was installed.
   */
  readonly installed?: (installation: Installation) => void
  readonly apiserverArgs?: readonly string[]
}

export interface RealWorld extends World {
  /** What a service is told: whoever has it can speak in its name. */
  envOf(name: string): Promise<Readonly<Record<string, string>>>
}

/** Where the services are let in, and how. */
interface Doors {
  readonly broker: Broker
  readonly env?: Readonly<Record<string, string>>
  access(name: string): Promise<Readonly<Record<string, string>>>
  /** Resolves when users can get in: an API server that has just started cannot stamp who asks yet. */
  areOpen(): Promise<void>
  stop(): Promise<void>
}

/**
 * kube-apiserver, etcd and nats-server, and each service as a process of its own. Without `installed` all of them are
 * administrators, and the broker takes everything from everybody.
 */
export async function makeRealWorld(
  options: WorldOptions = {},
  { installed, apiserverArgs = [] }: RealWorldOptions = {},
): Promise<RealWorld> {
  const plane = await startControlPlane({ extraArgs: apiserverArgs })
  const client = HttpKubeClient.fromKubeConfig(loadKubeConfig({ path: plane.kubeconfigPath }), { clock })
  const hosts = nodeNames(options.nodes ?? 3)
  const crds = installed ? kubevirtCrds() : [...kilonovaCrds(), ...kubevirtCrds()]
  await installCrds({ client, clock }, crds, { replace: false })
  const doors = installed ? await guardedDoors(plane, installed) : await openDoors(plane)
  const now = toTimestamp(clock.now())
  const kubelet = new Kubelet({ client, clock })
  const kubeletPort = await kubelet.start()
  const nodes = hosts.map((host) => createNode(client, host, now, kubeletPort))
  await Promise.all([seedCatalogue(client), ...nodes])

  const bootMs = options.bootTimeMs ?? 0
  const standIn = new KubeVirtStandIn(
    { client, clock, log: silent },
    { bootMs, shutdownMs: bootMs / 2, hasLaunchers: true },
  )
  await standIn.start()
  const garbage = new InstanceGarbage({ client, clock, log: silent })
  garbage.start()
  const subresources = new AggregatedApi(
    { client, clock, log: silent },
    { handle: async (method, path, body) => standIn.handleSubresource(method, path, body) },
  )
  const folder = mkdtempSync(join(tmpdir(), 'kilonova-'))
  const env = {
    KILONOVA_LOG_LEVEL: 'debug',
    // Each process is started many times, with the same code.
    NODE_COMPILE_CACHE: join(tmpdir(), 'kilonova-compile-cache'),
    ...QUICK,
    ...options.env,
    ...doors.env,
  }
  const envOf = async (name: string): Promise<Readonly<Record<string, string>>> => ({
    ...env,
    ...(await doors.access(name)),
  })
  const processes = new ServiceProcesses(folder, envOf)
  const agents = hosts.map((host) => `nova-compute-${host}`)
  const names = ['nova-api', 'nova-scheduler', 'nova-conductor', ...agents]
  await Promise.all([subresources.start(), ...names.map((name) => processes.start(name))])
  const follower = new InstanceFollower({ client })
  follower.start()
  return {
    client,
    kubeconfigPath: plane.kubeconfigPath,
    follower,
    standIn,
    apiServer: {
      goAway: () => plane.kill(),
      comeBack: async () => {
        if (!plane.apiserver.running) await plane.restart()
        await doors.areOpen()
      },
    },
    broker: doors.broker,
    kubevirt: {
      uninstall: () => uninstallKubeVirt(client),
      install: () => installKubeVirt(client, kubevirtCrds()),
    },
    services: {
      names,
      start: (name, own) => processes.start(name, own),
      stop: (name) => processes.stop(name),
      kill: (name) => processes.kill(name),
      log: (name) => processes.log(name),
    },
    envOf,
    namespace: () => makeNamespace(client),
    stop: async () => {
      follower.stop()
      await processes.killAll()
      await standIn.stop()
      await kubelet.stop()
      await garbage.stop()
      await subresources.stop()
      await client.close()
      await Promise.all([plane.stop(), doors.stop()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function openDoors(plane: ControlPlane): Promise<Doors> {
  const nats = await startNats()
  return {
    broker: brokerOf(nats),
    areOpen: async () => undefined,
    access: async () => ({ KILONOVA_KUBECONFIG: plane.kubeconfigPath, KILONOVA_MESSAGING: nats.url }),
    stop: () => nats.stop(),
  }
}

/** As in its Pod, each service has tokens of its own account, and an agent's are of its node. */
async function guardedDoors(
  plane: ControlPlane,
  installed: (installation: Installation) => void,
): Promise<Doors> {
  const installation = await Installation.apply(plane)
  installed(installation)
  const nats = await InstalledNats.start(plane, installation)
  const made = new Map<string, Promise<Readonly<Record<string, string>>>>()
  const make = async (name: string): Promise<Readonly<Record<string, string>>> => {
    const { service, rest } = partsOf(name)
    const node = service === 'compute' ? rest : undefined
    const account = accountOf(service)
    return {
      ...(await nats.access(account, node)),
      KILONOVA_KUBECONFIG: await installation.kubeconfig(account, node),
      KILONOVA_LEASE_NAMESPACE: installation.namespace,
      KILONOVA_TRUST_REQUESTER: 'true',
    }
  }
  return {
    broker: await nats.broker({ clock, log: silent }),
    // Whom NATS refused while nats-auth was away comes back within five seconds.
    env: { KILONOVA_SERVICE_DOWN_TIME: '8' },
    areOpen: () => installation.untilActive(),
    access: (name) => {
      const access = made.get(name) ?? make(name)
      made.set(name, access)
      return access
    },
    stop: () => nats.stop(),
  }
}

function accountOf(service: string): Account {
  const account = (['api', 'scheduler', 'conductor', 'compute'] as const).find((one) => one === service)
  if (account === undefined) throw new Error(`${service} has no account`)
  return account
}

function brokerOf(nats: NatsServer): Broker {
  return {
    goAway: () => nats.kill(),
    comeBack: async () => (nats.part.running ? undefined : nats.restart()),
    wipe: async () => {
      await nats.kill()
      rmSync(join(nats.dir, 'store'), { recursive: true, force: true })
      await nats.restart()
    },
    stored: async () => {
      const connection = await connect({ servers: nats.url })
      try {
        const manager = await jetstreamManager(connection)
        let stored = 0
        for await (const stream of manager.streams.list()) stored += stream.state.messages
        return stored
      } finally {
        await connection.close()
      }
    },
    connect: () => openTransport(nats.url, { clock, log: silent }, { sender: { service: 'api' } }),
  }
}

function kubevirtCrds(): CustomResourceDefinition[] {
  return kubevirtCrdFiles().map((file) => parse(readFileSync(file, 'utf8')))
}
