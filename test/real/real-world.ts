import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { SystemClock, toTimestamp } from '../../src/common/clock.ts'
import { loggerTo } from '../../src/common/log.ts'
import { seedCatalogue } from '../../src/dev/catalogue.ts'
import { type CustomResourceDefinition, installCrds, kilonovaCrds } from '../../src/dev/crds.ts'
import { InstanceFollower } from '../../src/dev/instance-follower.ts'
import { KubeVirtStandIn } from '../../src/dev/kubevirt/stand-in.ts'
import { createNode, nodeNames } from '../../src/dev/nodes.ts'
import { HttpKubeClient } from '../../src/kube/http-client.ts'
import { loadKubeConfig } from '../../src/kube/kube-config.ts'
import { makeNamespace } from '../scenarios/namespaces.ts'
import type { World, WorldOptions } from '../scenarios/world.ts'
import { startControlPlane } from './parts/control-plane.ts'
import { kubevirtCrdFiles } from './parts/crds.ts'
import { startNats } from './parts/nats.ts'
import { ServiceProcess } from './service-process.ts'

/** kube-apiserver, etcd and nats-server, and each service as a process of its own. */
export async function makeRealWorld(options: WorldOptions = {}): Promise<World> {
  const clock = new SystemClock()
  const [plane, nats] = await Promise.all([startControlPlane(), startNats()])
  const client = HttpKubeClient.fromKubeConfig(loadKubeConfig({ path: plane.kubeconfigPath }), { clock })
  const hosts = nodeNames(options.nodes ?? 3)
  await installCrds({ client, clock }, [...kilonovaCrds(), ...kubevirtCrds()], { replace: false })
  const now = toTimestamp(clock.now())
  await Promise.all([seedCatalogue(client), ...hosts.map((host) => createNode(client, host, now))])

  const bootMs = options.bootTimeMs ?? 0
  const silent = loggerTo(() => undefined, { format: 'text', level: 'error' })
  const standIn = new KubeVirtStandIn({ client, clock, log: silent }, { bootMs, shutdownMs: bootMs / 2 })
  await standIn.start()
  const folder = mkdtempSync(join(tmpdir(), 'kilonova-'))
  const processes = serviceProcesses(hosts, folder, {
    KILONOVA_KUBECONFIG: plane.kubeconfigPath,
    KILONOVA_MESSAGING: nats.url,
    KILONOVA_LOG_LEVEL: 'debug',
    ...options.env,
  })
  const processOf = (name: string): ServiceProcess => {
    const found = processes.get(name)
    if (!found) throw new Error(`no service ${name}`)
    return found
  }
  await Promise.all([...processes.values()].map((one) => one.start()))
  const follower = new InstanceFollower({ client })
  follower.start()
  return {
    client,
    kubeconfigPath: plane.kubeconfigPath,
    follower,
    standIn,
    apiServer: { goAway: () => plane.kill(), comeBack: () => plane.restart() },
    broker: { goAway: () => nats.kill(), comeBack: () => nats.restart() },
    services: {
      names: [...processes.keys()],
      start: (name) => processOf(name).start(),
      stop: (name) => processOf(name).stop(),
      kill: (name) => processOf(name).kill(),
      log: (name) => processOf(name).log(),
    },
    namespace: () => makeNamespace(client),
    stop: async () => {
      follower.stop()
      await Promise.all([...processes.values()].map((one) => one.kill()))
      await standIn.stop()
      await client.close()
      await Promise.all([plane.stop(), nats.stop()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function kubevirtCrds(): CustomResourceDefinition[] {
  return kubevirtCrdFiles().map((file) => parse(readFileSync(file, 'utf8')))
}

function serviceProcesses(
  hosts: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>>,
): ReadonlyMap<string, ServiceProcess> {
  mkdirSync(folder, { recursive: true })
  const commands: readonly (readonly [string, readonly string[]])[] = [
    ['nova-api', ['api']],
    ['nova-scheduler', ['scheduler']],
    ['nova-conductor', ['conductor']],
    ...hosts.map((host) => [`nova-compute-${host}`, ['compute', '--host', host]] as const),
  ]
  return new Map(
    commands.map(([name, args]) => [name, new ServiceProcess(args, env, join(folder, `${name}.log`))]),
  )
}
