import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SystemClock } from '../../src/common/clock.ts'
import { loggerTo } from '../../src/common/log.ts'
import type { ApiServer } from '../../src/dev/apiserver/server.ts'
import { DevCluster } from '../../src/dev/cluster.ts'
import { kubevirtCrds } from '../../src/dev/crds.ts'
import { InstanceFollower } from '../../src/dev/instance-follower.ts'
import { MemoryTransport } from '../../src/rpc/memory-transport.ts'
import { installKubeVirt, uninstallKubeVirt } from './kubevirt-crds.ts'
import { makeNamespace } from './namespaces.ts'
import { QUICK, type World, type WorldOptions } from './world.ts'

const silent = loggerTo(() => undefined, { format: 'text', level: 'error' })

/** In one process an answer that is late will not come. */
const QUICKER = { KILONOVA_LEASE_DURATION: '1', KILONOVA_RPC_RESPONSE_TIMEOUT: '0.5' }

/** The embedded cluster, in a folder of its own. `spoil` may break its API server once all is up. */
export async function makeEmbeddedWorld(
  options: WorldOptions = {},
  spoil: (apiServer: ApiServer) => void = () => undefined,
): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'kilonova-'))
  const env: Readonly<Record<string, string>> = { ...QUICK, ...QUICKER, ...options.env }
  const cluster = new DevCluster(
    { clock: new SystemClock() },
    {
      nodes: options.nodes ?? 3,
      messaging: 'memory://',
      folder,
      port: 0,
      bootTimeMs: options.bootTimeMs ?? 0,
      log: { format: 'text', level: 'debug' },
      ackWaitMs: Number(env['KILONOVA_ACK_WAIT']) * 1000,
      env,
    },
  )
  await cluster.start()
  const { apiServer, broker, client, services, standIn } = cluster
  if (!apiServer) throw new Error('the embedded world has an embedded API server')
  spoil(apiServer)
  const follower = new InstanceFollower({ client })
  follower.start()
  return {
    client,
    kubeconfigPath: cluster.kubeconfigPath,
    follower,
    standIn,
    apiServer: { goAway: () => apiServer.pause(), comeBack: () => apiServer.resume() },
    broker: {
      goAway: async () => broker.disconnect(),
      comeBack: async () => broker.reconnect(),
      wipe: async () => broker.wipe(),
      stored: async () => broker.stored(),
      connect: () => new MemoryTransport({ broker, log: silent }, { sender: { service: 'api' } }),
    },
    kubevirt: {
      uninstall: () => uninstallKubeVirt(client),
      install: () => installKubeVirt(client, kubevirtCrds()),
    },
    services: {
      names: services.names,
      start: (name, own) => services.start(name, own),
      stop: (name) => services.stop(name),
      kill: (name) => services.kill(name),
      log: (name) => {
        const file = services.logFile(name)
        return existsSync(file) ? readFileSync(file, 'utf8') : ''
      },
    },
    namespace: () => makeNamespace(client),
    stop: async () => {
      follower.stop()
      await cluster.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
