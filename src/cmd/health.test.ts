import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SystemClock } from '../common/clock.ts'
import { MemoryBroker } from '../rpc/memory-broker.ts'
import { MemoryTransport } from '../rpc/memory-transport.ts'
import { captureLog } from '../testing/log-capture.ts'
import { until } from '../testing/until.ts'
import { HealthServer } from './health.ts'

describe('health', () => {
  const clock = new SystemClock()
  let broker: MemoryBroker
  let transport: MemoryTransport
  let health: HealthServer
  let url: string
  let isThere: boolean

  beforeEach(async () => {
    isThere = true
    broker = new MemoryBroker({ clock })
    const { log } = captureLog()
    transport = new MemoryTransport({ broker, log }, { sender: { service: 'api' }, roundTripTimeoutMs: 50 })
    await transport.connect()
    const service = {
      name: 'nova-test',
      start: async () => undefined,
      stop: async () => undefined,
      checks: [{ name: 'hypervisor', isReady: () => isThere }],
    }
    health = new HealthServer({ service, transport, clock, log }, { port: 0, roundTripIntervalMs: 20 })
    url = `http://127.0.0.1:${await health.start()}`
  })
  afterEach(async () => {
    health.stop()
    await transport.close()
  })

  const get = async (path: string): Promise<{ code: number; body: string }> => {
    const response = await fetch(url + path)
    return { code: response.status, body: await response.text() }
  }
  const isReady = async (): Promise<boolean> => (await get('/readyz')).code === 200

  it('is alive and not ready before the service has started', async () => {
    expect((await get('/healthz')).code).toBe(200)
    expect(await get('/readyz')).toMatchObject({ code: 503, body: expect.stringContaining('still starting') })
  })

  it('is ready once the service has started and a message went round', async () => {
    health.serviceStarted()

    await until('ready', isReady)
  })

  it('says what is missing while something the service needs is not there', async () => {
    health.serviceStarted()
    await until('ready', isReady)

    isThere = false

    expect(await get('/readyz')).toEqual({ code: 503, body: 'hypervisor is not ready\n' })
  })

  it('goes red when messages do not go round any more, and green when they do again', async () => {
    health.serviceStarted()
    await until('ready', isReady)

    broker.disconnect()
    await until('not ready', async () => !(await isReady()))
    expect((await get('/readyz')).body).toContain('messaging')

    broker.reconnect()
    await until('ready', isReady)
  })

  it('is alive and not ready from the moment its service leaves', async () => {
    health.serviceStarted()
    await until('ready', isReady)

    health.serviceStopping()

    expect(await get('/readyz')).toEqual({ code: 503, body: 'stopping\n' })
    expect((await get('/healthz')).code).toBe(200)
  })

  it('is alive whatever is missing', async () => {
    isThere = false
    broker.disconnect()

    expect((await get('/healthz')).code).toBe(200)
  })

  it('is looked at again when it is asked for while messages do not go round', async () => {
    health.stop()
    health = new HealthServer(
      {
        service: { name: 'nova-test', start: async () => undefined, stop: async () => undefined, checks: [] },
        transport,
        clock,
        log: captureLog().log,
      },
      { port: 0, roundTripIntervalMs: 3_600_000 },
    )
    broker.disconnect()
    url = `http://127.0.0.1:${await health.start()}`
    health.serviceStarted()
    await until('not ready', async () => (await get('/readyz')).body.includes('messaging: '))

    broker.reconnect()

    await until('ready', isReady)
  })

  it('knows no other path', async () => {
    expect((await get('/elsewhere')).code).toBe(404)
  })
})
