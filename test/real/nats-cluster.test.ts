import { readFileSync } from 'node:fs'
import { connect } from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../scenarios/eventually.ts'
import { AuthWorld } from './auth-world.ts'
import type { ChartNats } from './parts/chart-nats.ts'
import { setupNeeded } from './setup-needed.ts'

const needed = setupNeeded()
const AGENT = { topic: 'compute', host: 'node-1' }

describe.skipIf(needed !== undefined)('three servers of NATS, as the chart has them', () => {
  let world: AuthWorld
  let nats: ChartNats

  beforeAll(async () => {
    world = await AuthWorld.start()
    await world.makeKeys()
    nats = await world.startNats(3)
    const auth = await world.natsAuth('auth', nats)
    await auth.start()
  })
  afterEach(() => world?.leave())
  afterAll(() => world?.stop())

  it('are one, go on without any one of them, and lose nothing that was cast', async () => {
    const api = await world.service(nats, { service: 'api' })
    const conductor = await world.service(nats, { service: 'conductor' })
    const sent: string[] = []
    const cast = async (): Promise<void> => {
      await api.cast(AGENT, `${sent.length}`)
      sent.push(`cast from api: ${sent.length}`)
    }

    for (const server of nats.parts) {
      await cast()
      await server.kill()
      await cast()
      // Somebody new comes in too: nats-auth is reached through whichever servers are left.
      const late = await world.service(nats, { service: 'scheduler' })
      await late.stop()
      await server.start()
    }

    const agent = await world.service(nats, { service: 'compute', host: AGENT.host })
    await eventually('every cast arrived', () => new Set(agent.heard).size >= sent.length)
    expect(new Set(agent.heard)).toEqual(new Set(sent))
    expect(await agent.call({ topic: 'conductor' }, 'save')).toBe('save yourself')
    expect(conductor.heard).toContain('call from compute.node-1: save')
  })

  it('lets no agent delete what is stored, at whichever it is', async () => {
    const sender = { service: 'compute', host: AGENT.host } as const
    const api = await world.service(nats, { service: 'api' })
    await world.service(nats, { service: 'conductor' })
    await (await world.service(nats, sender)).stop()
    await api.cast(AGENT, 'kept')
    const token = await world.tokenOf(sender)
    const tls = { ca: readFileSync(world.keys.caFile, 'utf8') }
    const next = '$JS.API.CONSUMER.MSG.NEXT.KILONOVA_CASTS.compute-node-1'
    const noWait = JSON.stringify({ batch: 1, no_wait: true })

    for (const servers of nats.urls) {
      const nc = await connect({
        servers,
        token,
        tls,
        reconnect: false,
        inboxPrefix: '_INBOX.compute.node-1',
      })
      // A message first, then an empty answer.
      for (const _ of [1, 2]) nc.publish(next, noWait, { reply: '$JS.API.STREAM.DELETE.KILONOVA_CASTS' })
      await nc.request(next, noWait, { timeout: 10_000, noMux: true })
      await nc.close()
    }

    const agent = await world.service(nats, sender)
    await eventually('the cast arrived', () => agent.heard.includes('cast from api: kept'))
  })
})
