import { afterEach, beforeEach, expect, it } from 'vitest'
import { SystemClock } from '../common/clock.ts'
import { RandomIds } from '../common/ids.ts'
import { ApiServer } from '../dev/apiserver/server.ts'
import { isRetryable } from '../kube/api-error.ts'
import { EVENT } from '../kube/event.ts'
import { EventRecorder } from '../kube/event-recorder.ts'
import { HttpKubeClient } from '../kube/http-client.ts'
import { Informer } from '../kube/informer.ts'
import { LeaderElector } from '../kube/leader-election.ts'
import { defineResource, type KubeObject, keyOf } from '../kube/resource.ts'
import { captureLog, type LogCapture } from './log-capture.ts'
import { until } from './until.ts'

interface ConfigMap extends KubeObject {
  data?: Record<string, string>
}
const CONFIG_MAP = defineResource<ConfigMap>({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
})

const clock = new SystemClock()
let server: ApiServer
let client: HttpKubeClient
let logs: LogCapture

beforeEach(async () => {
  server = new ApiServer()
  await server.start()
  client = HttpKubeClient.fromKubeConfig({ server: server.url }, { clock })
  logs = captureLog()
})

afterEach(async () => {
  await client.close()
  await server.stop()
})

function makeConfigMap(name: string): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'default', name } }
}

function makeInformer(): Informer<ConfigMap> {
  return new Informer(
    { client, clock, log: logs.log },
    { type: CONFIG_MAP, namespace: 'default', backoff: { baseMs: 5, capMs: 50 } },
  )
}

it('follows every change over restarts of the server, and never sees less than it wrote', async () => {
  const informer = makeInformer()
  const known = new Map<string, string>()
  informer.onChange(({ type, object, old }) => {
    const key = keyOf(object.metadata)
    expect(known.get(key)).toBe(old?.metadata.resourceVersion)
    if (type === 'deleted') known.delete(key)
    else known.set(key, object.metadata.resourceVersion ?? '')
  })
  informer.start()
  await informer.synced()
  const write = async (name: string): Promise<void> => {
    const created = await client.create(CONFIG_MAP, makeConfigMap(name))
    informer.observe(created)
    const version = created.metadata.resourceVersion
    const patched = await client.mergePatch(
      CONFIG_MAP,
      created.metadata,
      { data: { a: '1' } },
      { resourceVersion: version },
    )
    informer.observe(patched)
    expect(informer.store.get(`default/${name}`)?.data).toEqual({ a: '1' })
    if (name.endsWith('0')) await client.delete(CONFIG_MAP, created.metadata)
  }
  for (let round = 0; round < 3; round++) {
    await Promise.all(Array.from({ length: 50 }, async (_, n) => write(`r${round}-n${n}`)))
    await server.stop()
    await expect(client.create(CONFIG_MAP, makeConfigMap('x'))).rejects.toSatisfy(isRetryable)
    await server.start()
  }
  const { items } = await client.list(CONFIG_MAP, { namespace: 'default' })
  const truth = new Map(items.map((item) => [keyOf(item.metadata), item.metadata.resourceVersion]))
  await until('the informer knows all', () => known.size === truth.size && informer.isHealthy())
  expect(known).toEqual(truth)
  expect(logs.at('ERROR')).toEqual([])
  await informer.stop()
})

it('takes the first events of an object in one go', async () => {
  const recorder = new EventRecorder(
    { client, clock, log: logs.log, ids: new RandomIds() },
    { component: 'nova-api' },
  )
  const object = await client.create(CONFIG_MAP, makeConfigMap('web'))
  for (let times = 0; times < 3; times++) {
    recorder.record({ object, type: 'Warning', reason: 'Tried', message: 'Tried again' })
    await recorder.flush()
  }
  const { items } = await client.list(EVENT, { namespace: 'default' })
  expect(items).toMatchObject([{ count: 3, involvedObject: { name: 'web' }, reason: 'Tried' }])
})

it('elects one leader, and the other one when that stops', async () => {
  const stops = [new AbortController(), new AbortController()]
  const electors = stops.map(
    (_, index) =>
      new LeaderElector(
        { client, clock, log: logs.log },
        {
          namespace: 'default',
          name: 'api',
          identity: `api-${index}`,
          leaseDurationMs: 60_000,
          renewDeadlineMs: 30_000,
          retryPeriodMs: 20,
        },
      ),
  )
  const runs = electors.map(async (elector, index) =>
    elector.run(async (signal) => clock.sleep(1e9, signal).catch(() => undefined), stops[index]!.signal),
  )
  await until('one leads', () => electors.some((elector) => elector.isLeader()))
  const first = electors.findIndex((elector) => elector.isLeader())
  expect(electors.filter((elector) => elector.isLeader())).toHaveLength(1)
  stops[first]?.abort()
  await runs[first]
  await until('the other leads', () => electors[1 - first]?.isLeader() === true)
  stops[1 - first]?.abort()
  await Promise.all(runs)
})
