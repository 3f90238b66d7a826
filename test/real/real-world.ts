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
import { KubeVirtStandIn } from '../../src/dev/kubevirt/stand-in.ts'
import { createNode, nodeNames } from '../../src/dev/nodes.ts'
import { HttpKubeClient } from '../../src/kube/http-client.ts'
import { loadKubeConfig } from '../../src/kube/kube-config.ts'
import { openTransport } from '../../src/rpc/open-transport.ts'
import { installKubeVirt, uninstallKubeVirt } from '../scenarios/kubevirt-crds.ts'
import { makeNamespace } from '../scenarios/namespaces.ts'
import { type Broker, QUICK, type World, type WorldOptions } from '../scenarios/world.ts'
import { startControlPlane } from './parts/control-plane.ts'
import { kubevirtCrdFiles } from './parts/crds.ts'
import { type NatsServer, startNats } from './parts/nats.ts'
import { ServiceProcess } from './service-process.ts'

const silent = loggerTo(() => undefined, { format: 'text', level: 'error' })
const clock = new SystemClock()

/** kube-apiserver, etcd and nats-server, and each service as a process of its own. */
export async function makeRealWorld(options: WorldOptions = {}): Promise<World> {
  const [plane, nats] = await Promise.all([startControlPlane(), startNats()])
  const client = HttpKubeClient.fromKubeConfig(loadKubeConfig({ path: plane.kubeconfigPath }), { clock })
  const hosts = nodeNames(options.nodes ?? 3)
  await installCrds({ client, clock }, [...kilonovaCrds(), ...kubevirtCrds()], { replace: false })
  const now = toTimestamp(clock.now())
  await Promise.all([seedCatalogue(client), ...hosts.map((host) => createNode(client, host, now))])

  const bootMs = options.bootTimeMs ?? 0
  const standIn = new KubeVirtStandIn({ client, clock, log: silent }, { bootMs, shutdownMs: bootMs / 2 })
  await standIn.start()
  const subresources = new AggregatedApi(
    { client, clock, log: silent },
    { handle: async (method, path, body) => standIn.handleSubresource(method, path, body) },
  )
  const folder = mkdtempSync(join(tmpdir(), 'kilonova-'))
  const processes = new ServiceProcesses(folder, {
    KILONOVA_KUBECONFIG: plane.kubeconfigPath,
    KILONOVA_MESSAGING: nats.url,
    KILONOVA_LOG_LEVEL: 'debug',
    // Each process is started many times, with the same code.
    NODE_COMPILE_CACHE: join(tmpdir(), 'kilonova-compile-cache'),
    ...QUICK,
    ...options.env,
  })
  const agents = hosts.map((host) => `nova-compute-${host}`)
  const names = ['nova-api', 'nova-scheduler', 'nova-conductor', ...agents]
  await Promise.all([subresources.start(), ...names.map((name) => processes.of(name).start())])
  const follower = new InstanceFollower({ client })
  follower.start()
  return {
    client,
    kubeconfigPath: plane.kubeconfigPath,
    follower,
    standIn,
    apiServer: {
      goAway: () => plane.kill(),
      comeBack: async () => (plane.apiserver.running ? undefined : plane.restart()),
    },
    broker: brokerOf(nats),
    kubevirt: {
      uninstall: () => uninstallKubeVirt(client),
      install: () => installKubeVirt(client, kubevirtCrds()),
    },
    services: {
      names,
      start: (name) => processes.of(name).start(),
      stop: (name) => processes.of(name).stop(),
      kill: (name) => processes.of(name).kill(),
      log: (name) => processes.of(name).log(),
    },
    namespace: () => makeNamespace(client),
    stop: async () => {
      follower.stop()
      await processes.killAll()
      await standIn.stop()
      await subresources.stop()
      await client.close()
      await Promise.all([plane.stop(), nats.stop()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
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

/** The services' processes by name, each with its log in a folder. */
class ServiceProcesses {
  readonly #folder: string
  readonly #env: Readonly<Record<string, string>>
  readonly #processes = new Map<string, ServiceProcess>()

  constructor(folder: string, env: Readonly<Record<string, string>>) {
    this.#folder = folder
    this.#env = env
  }

  of(name: string): ServiceProcess {
    const known = this.#processes.get(name)
    if (known) return known
    const made = new ServiceProcess(argumentsOf(name), this.#env, join(this.#folder, `${name}.log`))
    this.#processes.set(name, made)
    return made
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((one) => one.kill()))
  }
}

/** `nova-compute-node-1` is `compute --host node-1`; `nova-scheduler-2` a second scheduler. */
function argumentsOf(name: string): readonly string[] {
  const [, service = '', rest = ''] = /^nova-([a-z]+)(?:-(.*))?$/.exec(name) ?? []
  return service === 'compute' ? [service, '--host', rest] : [service]
}
