import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SystemClock } from '../../src/common/clock.ts'
import { DevCluster } from '../../src/dev/cluster.ts'
import { InstanceFollower } from '../../src/dev/instance-follower.ts'
import { makeNamespace } from './namespaces.ts'
import type { World, WorldOptions } from './world.ts'

/** The embedded cluster, in a folder of its own. */
export async function makeEmbeddedWorld(options: WorldOptions = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'kilonova-'))
  const cluster = new DevCluster(
    { clock: new SystemClock() },
    {
      nodes: options.nodes ?? 3,
      messaging: 'memory://',
      folder,
      port: 0,
      bootTimeMs: options.bootTimeMs ?? 0,
      log: { format: 'text', level: 'debug' },
      env: options.env,
    },
  )
  await cluster.start()
  const { apiServer, broker, client, services, standIn } = cluster
  if (!apiServer) throw new Error('the embedded world has an embedded API server')
  const follower = new InstanceFollower({ client })
  follower.start()
  return {
    client,
    kubeconfigPath: cluster.kubeconfigPath,
    follower,
    standIn,
    apiServer: { goAway: () => apiServer.pause(), comeBack: () => apiServer.resume() },
    broker: { goAway: async () => broker.disconnect(), comeBack: async () => broker.reconnect() },
    services: {
      names: services.names,
      start: (name) => services.start(name),
      stop: (name) => services.stop(name),
      kill: (name) => services.kill(name),
      log: (name) => readFileSync(services.logFile(name), 'utf8'),
    },
    namespace: () => makeNamespace(client),
    stop: async () => {
      follower.stop()
      await cluster.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
