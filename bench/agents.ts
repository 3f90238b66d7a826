/**
 * Runs several compute agents in one process: `agents.js MAIN KUBECONFIG NATS_URL HOST...`. Each has connections of
 * its own, as it would have alone. Loads the built services that stand beside MAIN; see build.ts.
 */
import { pathToFileURL } from 'node:url'

const [main = '', kubeconfig = '', messaging = '', ...hosts] = process.argv.slice(2)

async function load(path: string): Promise<unknown> {
  return import(new URL(path, pathToFileURL(main)).href)
}

const { SystemClock } = (await load('common/clock.js')) as typeof import('../src/common/clock.ts')
const { RandomIds } = (await load('common/ids.js')) as typeof import('../src/common/ids.ts')
const { openLog } = (await load('common/log.js')) as typeof import('../src/common/log.ts')
const { COMPUTE_SETTINGS } = (await load('conf/compute.js')) as typeof import('../src/conf/compute.ts')
const { readOptions } = (await load('conf/options.js')) as typeof import('../src/conf/options.ts')
const { HttpKubeClient } = (await load('kube/http-client.js')) as typeof import('../src/kube/http-client.ts')
const { loadKubeConfig } = (await load('kube/kube-config.js')) as typeof import('../src/kube/kube-config.ts')
const { openTransport } = (await load(
  'rpc/open-transport.js',
)) as typeof import('../src/rpc/open-transport.ts')
const { buildCompute } = (await load('cmd/compute.js')) as typeof import('../src/cmd/compute.ts')
const { openDriver } = (await load('cmd/driver.js')) as typeof import('../src/cmd/driver.ts')

const clock = new SystemClock()
const { logger: log } = openLog({ format: 'text', level: 'info' })
const config = loadKubeConfig({ path: kubeconfig })

const running = hosts.map((host) => {
  const settings = { ...readOptions(COMPUTE_SETTINGS, [], {}), host }
  const client = HttpKubeClient.fromKubeConfig(config, { clock, userAgent: `kilonova/nova-compute-${host}` })
  const transport = openTransport(messaging, { clock, log }, { sender: { service: 'compute', host } })
  const driver = openDriver({ client, clock, log }, settings)
  const service = buildCompute({ driver, transport, clock, ids: new RandomIds(), log }, settings)
  return { service, client, transport }
})

process.once('SIGTERM', () => {
  void Promise.all(
    running.map(async ({ service, client, transport }) => {
      await service.stop()
      await transport.close()
      await client.close()
    }),
  )
})
await Promise.all(running.map(({ service }) => service.start()))
