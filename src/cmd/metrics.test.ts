import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { SystemClock } from '../common/clock.ts'
import { InstanceNotFound } from '../common/errors/instance-state.ts'
import { RandomIds } from '../common/ids.ts'
import { RpcClient } from '../rpc/client.ts'
import type { RpcMethod } from '../rpc/method.ts'
import { RpcServer } from '../rpc/server.ts'
import { makeContext } from '../testing/builders.ts'
import { captureLog } from '../testing/log-capture.ts'
import { MemoryRpc } from '../testing/memory-rpc.ts'
import { until } from '../testing/until.ts'
import { HealthServer } from './health.ts'
import { Metrics } from './metrics.ts'

const target = { topic: 'conductor' }
const look: RpcMethod<string, string> = { name: 'look', version: '1.0', args: z.string(), result: z.string() }
const later: RpcMethod<string, string> = { ...look, name: 'later', version: '1.1' }

describe('what Prometheus is told', () => {
  const clock = new SystemClock()
  let rpc: MemoryRpc
  let metrics: Metrics
  let health: HealthServer
  let url: string
  let isLeading: boolean

  beforeEach(async () => {
    rpc = new MemoryRpc(clock)
    metrics = new Metrics({ version: '1.2.3' })
    isLeading = false
    const service = {
      name: 'nova-test',
      start: async () => undefined,
      stop: async () => undefined,
      checks: [],
      isLeading: () => isLeading,
    }
    const deps = { service, transport: rpc.transport(), clock, log: captureLog().log, metrics }
    health = new HealthServer(deps, { port: 0 })
    url = `http://127.0.0.1:${await health.start()}/metrics`
  })
  afterEach(async () => {
    health.stop()
    await rpc.close()
  })

  const scrape = async (): Promise<string> => (await fetch(url)).text()

  async function serve(handler: (what: string) => Promise<string>): Promise<RpcClient> {
    const deps = { transport: rpc.transport({ service: 'conductor' }), clock, log: captureLog().log }
    const server = new RpcServer(
      { ...deps, meter: metrics },
      { target, version: '1.0', retryDelayMs: () => 1, maxDeliveries: 2 },
    )
    server.handle(look, async (_ctx, what) => handler(what))
    await server.start()
    return new RpcClient({ ...deps, transport: rpc.transport(), ids: new RandomIds() })
  }

  it('counts calls by how they ended', async () => {
    const client = await serve(async (what) => {
      if (what === 'bug') throw new TypeError('no')
      if (what === 'gone') throw new InstanceNotFound({ instance: 'x' })
      return what
    })
    const call = (what: string) => client.call(makeContext(), target, look, what).catch(() => undefined)
    for (const what of ['a', 'b', 'gone', 'bug']) await call(what)
    await client.call(makeContext(), target, later, 'a').catch(() => undefined)

    const text = await scrape()

    const count = (outcome: string, method = 'look'): string =>
      `kilonova_rpc_messages_total{kind="call",method="${method}",outcome="${outcome}"}`
    expect(text).toContain(`${count('done')} 2\n`)
    expect(text).toContain(`${count('refused')} 1\n`)
    expect(text).toContain(`${count('failed')} 1\n`)
    expect(text).toContain(`${count('unfit', '')} 1\n`)
    expect(text).toContain('kilonova_rpc_seconds_count{kind="call",method="look"} 4\n')
  })

  it('counts casts that were given up', async () => {
    const client = await serve(async () => {
      throw new Error('never')
    })
    await client.cast(makeContext(), target, look, 'a')

    await until('it was given up', async () =>
      (await scrape()).includes('kilonova_rpc_dead_letters_total{method="look"} 1\n'),
    )
  })

  it('says whether the service is ready, whether it leads, and which version it is', async () => {
    expect(await scrape()).toMatch(/^kilonova_ready 0$/m)
    expect(await scrape()).toMatch(/^kilonova_leader 0$/m)
    health.serviceStarted()
    isLeading = true

    await until('it is ready', async () => /^kilonova_ready 1$/m.test(await scrape()))

    expect(await scrape()).toMatch(/^kilonova_leader 1$/m)
    expect(await scrape()).toContain('kilonova_build_info{version="1.2.3"} 1')
  })

  it('tells of the process', async () => {
    expect(await scrape()).toMatch(/^process_resident_memory_bytes \d+/m)
    expect(await scrape()).toMatch(/^nodejs_eventloop_lag_seconds /m)
  })
})
