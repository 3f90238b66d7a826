import { AckPolicy, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { SystemClock } from '../../src/common/clock.ts'
import { RandomIds } from '../../src/common/ids.ts'
import { RpcClient } from '../../src/rpc/client.ts'
import { defineMethod } from '../../src/rpc/method.ts'
import { connectAs, openAs, usersOf } from './nats-users.ts'
import { type NatsServer, startNats } from './parts/nats.ts'
import { setupNeeded } from './setup-needed.ts'

const needed = setupNeeded()

const API = { service: 'api' } as const
const EVE = { service: 'compute', host: 'eve' } as const
const BOB = { service: 'compute', host: 'bob' } as const

const CASTS = 'KILONOVA_CASTS'
const OF_EVE = `${CASTS}.compute-eve`
const OF_BOB = `${CASTS}.compute-bob`
const NEXT = '$JS.API.CONSUMER.MSG.NEXT'
const TIMEOUT = { timeout: 5000, noMux: true } as const
const NO_WAIT = JSON.stringify({ batch: 1, no_wait: true })

const WORK = defineMethod({ name: 'work', version: '1.0', args: z.string() })
const CTX = { requestId: 'req-1', user: '-', project: '-' }

/** Who may ask for something says where the answer goes, and NATS does not check that. */
describe.skipIf(needed !== undefined)('an answer of JetStream, wherever an agent has it sent,', () => {
  let nats: NatsServer
  let leave: AsyncDisposableStack
  let root: NatsConnection
  let jsm: JetStreamManager
  let eve: NatsConnection
  let violations: string[]

  const connection = async (...who: Parameters<typeof connectAs>): Promise<NatsConnection> => {
    const nc = await connectAs(...who)
    leave.defer(() => nc.close())
    return nc
  }
  const stateOfBob = async (): Promise<string> => {
    const { created, num_pending, num_ack_pending } = await jsm.consumers.info(CASTS, 'compute-bob')
    return `since ${created}: ${num_pending} waiting, ${num_ack_pending} in work`
  }

  /** Two casts for each; Bob is at work on his first. */
  beforeEach(async () => {
    leave = new AsyncDisposableStack()
    nats = await startNats({ config: usersOf([API, EVE, BOB]) })
    leave.defer(() => nats.stop())
    root = await connection(nats.url)
    jsm = await jetstreamManager(root)
    const { transport } = openAs(nats.url, API)
    leave.defer(() => transport.close())
    await transport.connect()
    const rpc = new RpcClient({ transport, clock: new SystemClock(), ids: new RandomIds() })
    for (const { service, host } of [EVE, BOB]) {
      for (const word of ['one', 'two']) await rpc.cast(CTX, { topic: service, host }, WORK, word)
      const filter = `kilonova.cast.compute.${host}.by.>`
      const own = { ack_policy: AckPolicy.Explicit, filter_subject: filter }
      await jsm.consumers.add(CASTS, { ...own, durable_name: `compute-${host}` })
    }
    await root.request(`${NEXT}.${OF_BOB}`, '1', TIMEOUT)

    eve = await connection(nats.url, EVE)
    violations = []
    void (async () => {
      for await (const event of eve.status()) if (event.type === 'error') violations.push(event.error.message)
    })()
  })
  afterEach(() => leave?.disposeAsync())

  it.each([
    `$JS.API.STREAM.DELETE.${CASTS}`,
    `$JS.API.STREAM.PURGE.${CASTS}`,
    `$JS.API.CONSUMER.DELETE.${OF_BOB}`,
    `$JS.API.CONSUMER.RESET.${OF_BOB}`,
    `$JS.API.CONSUMER.CREATE.${OF_BOB}.kilonova.cast.compute.bob.by.>`,
    `${NEXT}.${OF_BOB}`,
  ])('does nothing at %s', async (reply) => {
    const before = await stateOfBob()
    const { created } = await jsm.streams.info(CASTS)
    const taken = await eve.request(`${NEXT}.${OF_EVE}`, '1', TIMEOUT)

    // An empty answer, a message, that there is none any more, and some that say more.
    eve.publish(taken.reply ?? '', '', { reply })
    for (const _ of [1, 2]) eve.publish(`${NEXT}.${OF_EVE}`, NO_WAIT, { reply })
    eve.publish('kilonova.health.by.compute.eve', 'x', { reply })
    eve.publish('kilonova.cast.scheduler.by.compute.eve', 'x', { reply })
    eve.publish('kilonova.call.conductor.by.compute.eve', 'x', { reply })
    await eve.request(`${NEXT}.${OF_EVE}`, NO_WAIT, TIMEOUT)

    expect(await stateOfBob()).toBe(before)
    expect((await jsm.streams.info(CASTS)).created).toBe(created)
    expect(violations).toEqual([])
  })

  it.each([`$JS.ACK.${OF_BOB}.1.3.1.1.0`, '_R_.x'])("is NATS's own to send to %s", async (reply) => {
    eve.publish(`${NEXT}.${OF_EVE}`, NO_WAIT, { reply })

    await expect.poll(() => violations, { timeout: 20_000 }).toHaveLength(1)
    expect(violations[0]).toContain('Publish with Reply')
  })

  it.each([
    `STREAM.UPDATE.${CASTS}`,
    `STREAM.DELETE.${CASTS}`,
    `STREAM.PURGE.${CASTS}`,
    `STREAM.SNAPSHOT.${CASTS}`,
    `STREAM.RESTORE.${CASTS}`,
    `STREAM.MSG.DELETE.${CASTS}`,
    `STREAM.MSG.GET.${CASTS}`,
    `STREAM.PEER.REMOVE.${CASTS}`,
    `STREAM.LEADER.STEPDOWN.${CASTS}`,
    `CONSUMER.DELETE.${OF_BOB}`,
    `CONSUMER.PAUSE.${OF_BOB}`,
    `CONSUMER.UNPIN.${OF_BOB}`,
    `CONSUMER.LEADER.STEPDOWN.${OF_BOB}`,
  ])('could change nothing by %s, which not even who may do all can ask', async (what) => {
    await expect(root.request(`$JS.API.${what}`, '{}', TIMEOUT)).rejects.toThrow('no responders')
  })
})
