import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { AckPolicy, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { SystemClock } from '../../src/common/clock.ts'
import { RandomIds } from '../../src/common/ids.ts'
import { loggerTo } from '../../src/common/log.ts'
import { serveComputeQueues } from '../../src/conductor/compute-queues.ts'
import { CONDUCTOR_RPC_VERSION, ConductorRpcApi } from '../../src/conductor/rpcapi.ts'
import { RpcClient } from '../../src/rpc/client.ts'
import { DeadLetterConsumer } from '../../src/rpc/dead-letter-consumer.ts'
import { MessageRefused } from '../../src/rpc/errors.ts'
import { defineMethod } from '../../src/rpc/method.ts'
import { permissionsOf } from '../../src/rpc/nats-permissions.ts'
import type { NatsTransport } from '../../src/rpc/nats-transport.ts'
import { describeSender, type Sender } from '../../src/rpc/sender.ts'
import { RpcServer, type RpcServerOptions } from '../../src/rpc/server.ts'
import { connectAs, openAs, usersOf } from './nats-users.ts'
import { type NatsServer, startNats } from './parts/nats.ts'
import { setupNeeded } from './setup-needed.ts'

const needed = setupNeeded()

const API = { service: 'api' } as const
const SCHEDULER = { service: 'scheduler' } as const
const CONDUCTOR = { service: 'conductor' } as const
const NODE_1 = { service: 'compute', host: 'node-1.example.com' } as const
const NODE_2 = { service: 'compute', host: 'node-2' } as const
const SENDERS: readonly Sender[] = [API, SCHEDULER, CONDUCTOR, NODE_1, NODE_2]

const TO_SCHEDULER = { topic: 'scheduler' }
const TO_CONDUCTOR = { topic: 'conductor' }
const TO_NODE_1 = { topic: 'compute', host: NODE_1.host }
const TO_NODE_2 = { topic: 'compute', host: NODE_2.host }
const CTX = { requestId: 'req-1', user: '-', project: '-' }
const WORK = defineMethod({ name: 'work', version: '1.0', args: z.string(), result: z.string() })
/** A handler's word for what no retry helps. */
const FAIL = 'fail'

const clock = new SystemClock()
const silent = loggerTo(() => undefined, { format: 'text', level: 'error' })

describe.skipIf(needed !== undefined)('the rights of a sender on nats-server', () => {
  let nats: NatsServer
  let leave: AsyncDisposableStack

  const soon = (check: () => unknown) => expect.poll(check, { timeout: 20_000, interval: 10 })

  /** A service that takes what it takes in src/cmd. */
  class Peer {
    readonly transport: NatsTransport
    readonly lines: string[]
    readonly heard: string[] = []
    readonly rpc: RpcClient

    constructor(sender: Sender) {
      ;({ transport: this.transport, lines: this.lines } = openAs(nats.url, sender))
      const deps = { transport: this.transport, clock, ids: new RandomIds() }
      // Short, because a test that listens to everything is taken for a server that does not answer.
      this.rpc = new RpcClient(deps, { callTimeoutMs: 500 })
      leave.defer(() => this.transport.close())
    }

    async serve(options: Pick<RpcServerOptions, 'target'> & Partial<RpcServerOptions>): Promise<this> {
      const deps = { transport: this.transport, clock, log: silent }
      const { service } = this.transport.sender
      const conductor = new ConductorRpcApi({ rpc: this.rpc })
      const server = new RpcServer(deps, {
        version: CONDUCTOR_RPC_VERSION,
        maxDeliveries: 1,
        ...(service === 'compute' && { declareQueue: () => conductor.computeQueueDeclare(CTX) }),
        ...options,
      })
      if (service === 'conductor') serveComputeQueues(server, this.transport)
      leave.defer(() => server.stop())
      server.handle(WORK, async (_ctx, word, { kind, sender }) => {
        this.heard.push(`${kind} from ${describeSender(sender)}: ${word}`)
        if (word === FAIL) throw new Error(word)
        return `${word}!`
      })
      await server.start()
      return this
    }

    said(text: string): string[] {
      return this.lines.filter((line) => line.includes(text))
    }
  }

  const servesHost = { fanouts: false } as const
  const serveAgent = (sender: typeof NODE_1 | typeof NODE_2): Promise<Peer> =>
    new Peer(sender).serve({ target: { topic: 'compute', host: sender.host }, ...servesHost })
  const serveScheduler = (): Promise<Peer> => new Peer(SCHEDULER).serve({ target: TO_SCHEDULER })
  const serveConductor = (): Promise<Peer> =>
    new Peer(CONDUCTOR).serve({ target: TO_CONDUCTOR, casts: false, fanouts: false })
  const enter = async (sender: Sender): Promise<Peer> => {
    const peer = new Peer(sender)
    await peer.transport.connect()
    return peer
  }
  const admin = async (): Promise<{ nc: NatsConnection; jsm: JetStreamManager }> => {
    const nc = await connectAs(nats.url)
    leave.defer(() => nc.close())
    return { nc, jsm: await jetstreamManager(nc) }
  }
  const streams = async (jsm: JetStreamManager): Promise<string[]> => {
    const names: string[] = []
    for await (const { config } of jsm.streams.list()) names.push(config.name)
    return names.toSorted()
  }

  /** In any other way nobody can: not even who has every right. */
  const loseStore = async (): Promise<void> => {
    await nats.kill()
    rmSync(join(nats.dir, 'store'), { recursive: true, force: true })
    await nats.restart()
  }

  beforeAll(async () => {
    nats = await startNats({ config: usersOf(SENDERS) })
    leave = new AsyncDisposableStack()
  })
  afterEach(async () => {
    await leave.disposeAsync()
    leave = new AsyncDisposableStack()
  })
  afterAll(() => nats?.stop())

  it('are enough for its work, and none is more than it uses', async () => {
    const { nc, jsm } = await admin()
    const seen = new Set<string>()
    nc.subscribe('>', { callback: (_error, msg) => void seen.add(msg.subject) })
    await nc.flush()

    // An agent that is first waits for a conductor, and says so once.
    const first = new Peer(NODE_1)
    const served = first.serve({ target: TO_NODE_1, ...servesHost })
    await soon(() => first.said('Waiting for the queue to be declared').length).toBe(1)
    expect(await streams(jsm)).toEqual([])
    const api = await enter(API)
    await soon(() => streams(jsm)).toEqual(['KILONOVA_CASTS', 'KILONOVA_DEAD', 'KILONOVA_HEALTH'])

    // Consumers as an older version had them.
    const older = { ack_policy: AckPolicy.Explicit }
    for (const [durable, filter] of [
      ['scheduler', 'kilonova.cast.scheduler'],
      ['compute-node-2', 'kilonova.cast.compute.node-2'],
    ] as const) {
      await jsm.consumers.add('KILONOVA_CASTS', { ...older, durable_name: durable, filter_subject: filter })
    }
    await jsm.consumers.add('KILONOVA_DEAD', { ...older, durable_name: 'dead' })
    const [scheduler, conductor, second] = await Promise.all([
      serveScheduler(),
      serveConductor(),
      serveAgent(NODE_2),
    ])
    await served
    expect(first.said('Waiting for the queue to be declared')).toHaveLength(1)
    const { config } = await jsm.consumers.info('KILONOVA_CASTS', 'compute-node-2')
    expect(config.filter_subject).toBe('kilonova.cast.compute.node-2.by.>')
    const letters: string[] = []
    const office = new DeadLetterConsumer({ transport: conductor.transport, log: silent })
    await office.start(async ({ topic, host }) => void letters.push(`${topic} ${host}`))
    leave.defer(() => office.stop())

    for (const agent of [TO_NODE_1, TO_NODE_2]) {
      await api.rpc.cast(CTX, agent, WORK, 'stop')
      await scheduler.rpc.cast(CTX, agent, WORK, 'build')
      await scheduler.rpc.cast(CTX, agent, WORK, FAIL)
      await conductor.rpc.cast(CTX, agent, WORK, 'go on')
      expect(await api.rpc.call(CTX, agent, WORK, 'console')).toBe('console!')
    }
    await api.rpc.cast(CTX, TO_SCHEDULER, WORK, FAIL)
    await conductor.rpc.cast(CTX, TO_SCHEDULER, WORK, 'move')
    expect(await api.rpc.call(CTX, TO_SCHEDULER, WORK, 'ask')).toBe('ask!')
    for (const agent of [first, second]) {
      await agent.rpc.cast(CTX, TO_SCHEDULER, WORK, 'again')
      await agent.rpc.fanout(CTX, 'scheduler', WORK, 'alive')
      expect(await agent.rpc.call(CTX, TO_CONDUCTOR, WORK, 'save')).toBe('save!')
    }
    for (const { transport } of [api, scheduler, conductor, first, second]) await transport.roundTrip()

    const work = [
      'call from api: console',
      'cast from api: stop',
      'cast from conductor: go on',
      'cast from scheduler: build',
      'cast from scheduler: fail',
    ]
    await soon(() => first.heard.toSorted()).toEqual(work)
    await soon(() => second.heard.toSorted()).toEqual(work)
    await soon(() => scheduler.heard.length).toBe(7)
    await soon(() => letters.toSorted()).toEqual([
      'compute node-1.example.com',
      'compute node-2',
      'scheduler undefined',
    ])
    for (const peer of [api, scheduler, conductor, first, second]) {
      expect(peer.said('refuses us a subject')).toEqual([])
    }
    for (const sender of [API, SCHEDULER, CONDUCTOR, NODE_2]) {
      // Acks come in one of two forms; this server's is the first.
      const rights = permissionsOf(sender).publish.allow.filter((one) => !one.startsWith('$JS.ACK.*'))
      for (const right of rights)
        await soon(() => [...seen].filter((one) => fits(one, right))).not.toEqual([])
    }
  })

  it('are enough to go on when the store is lost', async () => {
    const api = await enter(API)
    await serveConductor()
    const agent = await serveAgent(NODE_1)
    await loseStore()
    await soon(() => agent.transport.status).toBe('connected')

    await api.rpc.cast(CTX, TO_NODE_1, WORK, 'after')

    await soon(() => agent.heard).toEqual(['cast from api: after'])
  })

  it('that are missing are told at once, and loudly', async () => {
    await serveConductor()
    const agent = await enter(NODE_1)

    await expect(agent.rpc.cast(CTX, TO_NODE_2, WORK, 'x')).rejects.toThrow(MessageRefused)
    await expect(agent.rpc.call(CTX, TO_SCHEDULER, WORK, 'x')).rejects.toThrow(
      'The message broker does not let compute.node-1.example.com send to scheduler: ' +
        'no right to publish to kilonova.call.scheduler.by.compute.node-1_example_com',
    )
    await agent.rpc.fanout(CTX, 'compute', WORK, 'x')
    await agent.transport.serveCalls(TO_CONDUCTOR, async (message) => message)

    await soon(
      () => agent.said('ERROR nova.rpc.nats [-] The message broker refuses us a subject').length,
    ).toBe(4)
    expect(agent.said('refuses us a subject').join('\n')).toContain(
      'operation=subscription subject=kilonova.call.conductor.by.>',
    )
  })

  describe('of an agent of one host', () => {
    let nc: NatsConnection
    let jsm: JetStreamManager
    let violations: string[]

    beforeEach(loseStore)

    const attack = async (): Promise<void> => {
      const api = await enter(API)
      ;({ jsm } = await admin())
      await soon(() => streams(jsm).then((all) => all.length)).toBe(3)
      await api.rpc.cast(CTX, TO_NODE_1, WORK, 'mine')
      nc = await connectAs(nats.url, NODE_1)
      leave.defer(() => nc.close())
      violations = []
      void (async () => {
        for await (const event of nc.status())
          if (event.type === 'error') violations.push(event.error.message)
      })()
    }
    const ask = async (subject: string, body: object): Promise<string> =>
      (await nc.request(subject, JSON.stringify(body), { timeout: 5000, noMux: true })).string()

    const OWN = 'compute-node-1_example_com'
    const NEXT = `$JS.API.CONSUMER.MSG.NEXT.KILONOVA_CASTS.${OWN}`
    const OWN_FILTER = 'kilonova.cast.compute.node-1_example_com.by.>'
    const CREATE = `$JS.API.CONSUMER.CREATE.KILONOVA_CASTS.${OWN}.${OWN_FILTER}`
    const OTHER_WAYS = [
      '$JS.API.CONSUMER.CREATE.KILONOVA_CASTS',
      `$JS.API.CONSUMER.CREATE.KILONOVA_CASTS.${OWN}`,
      `$JS.API.CONSUMER.DURABLE.CREATE.KILONOVA_CASTS.${OWN}`,
    ]

    it.each([
      { what: 'as it is', config: {} },
      {
        what: "to push, with flow control, into another's requests",
        config: {
          deliver_subject: '$JS.API.CONSUMER.MSG.NEXT.KILONOVA_CASTS.compute-node-2',
          flow_control: true,
          idle_heartbeat: 1e9,
        },
      },
      { what: 'to the queue of another', config: { filter_subject: 'kilonova.cast.compute.node-2.by.>' } },
      { what: 'to all queues', config: { filter_subject: undefined } },
      { what: "as another's", config: { durable_name: 'compute-node-2' } },
    ])('do not let it set up its own consumer $what', async ({ config }) => {
      await attack()
      const own = { durable_name: OWN, ack_policy: AckPolicy.Explicit, filter_subject: OWN_FILTER }
      await jsm.consumers.add('KILONOVA_CASTS', own)
      const before = (await jsm.consumers.info('KILONOVA_CASTS', OWN)).config
      const asked = { stream_name: 'KILONOVA_CASTS', config: { ...own, ...config } }

      for (const subject of [CREATE, ...OTHER_WAYS]) {
        await expect(ask(subject, asked)).rejects.toThrow()
        await expect(ask(subject, { ...asked, action: 'update' })).rejects.toThrow()
      }

      expect((await jsm.consumers.info('KILONOVA_CASTS', OWN)).config).toEqual(before)
      for (const subject of [CREATE, ...OTHER_WAYS]) {
        expect(violations.join('\n')).toContain(`Publish to "${subject}"`)
      }
    })

    it("let nothing it was sent pass for what it sends, nor speak in another's name", async () => {
      await attack()
      const conductor = await serveConductor()
      const own = { durable_name: OWN, ack_policy: AckPolicy.Explicit, filter_subject: OWN_FILTER }
      await jsm.consumers.add('KILONOVA_CASTS', own)
      const reply = 'kilonova.call.conductor.by.compute.node-2'

      nc.publish(NEXT, '1', { reply })
      nc.publish('kilonova.health.by.compute.node-1_example_com', '', { reply })

      // The one has a subject of its own, the other no place for an answer.
      await soon(() => conductor.said('Dropped a message of an unknown sender').length).toBe(1)
      await soon(() => conductor.said('Dropped a call that wants its answer').length).toBe(1)
      expect(violations).toEqual([])
      expect(conductor.heard).toEqual([])
    })

    it("answer nova-api's calls to that host, and nothing else it waits for", async () => {
      await attack()
      const heard: string[] = []
      const root = await admin()
      root.nc.subscribe('_INBOX.>', { callback: (_error, msg) => void heard.push(msg.subject) })
      await root.nc.flush()

      const own = '_INBOX.api.compute.node-1_example_com.x'
      for (const to of ['_INBOX.api.x.y', '_INBOX.api.compute.node-2.x', '_INBOX.conductor.x', own])
        nc.publish(to)

      await soon(() => violations.length).toBe(3)
      await soon(() => heard.filter((one) => /^_INBOX\.(api|conductor)\./.test(one))).toEqual([own])
    })

    it("do not let it call another's agent, nor take calls for it", async () => {
      await attack()

      nc.publish('kilonova.call.compute.node-2.by.compute.node-1_example_com')
      nc.publish('kilonova.call.compute.node-2.by.api')
      nc.publish('kilonova.call.compute.node-1_example_com.by.api')
      nc.subscribe('kilonova.call.compute.node-2.by.>')

      await soon(() => violations.length).toBe(4)
    })

    it("do not grow by the conductor's answers", async () => {
      await attack()
      const conductor = await serveConductor()
      const body = JSON.stringify({ method: 'work', version: '1.0', args: 'x' })
      const wants = [
        '$JS.API.STREAM.DELETE.KILONOVA_CASTS',
        '_INBOX.compute.node-2.x',
        'kilonova.cast.scheduler.by.api',
      ]

      for (const reply of wants)
        nc.publish('kilonova.call.conductor.by.compute.node-1_example_com', body, { reply })

      const said = "Dropped a call that wants its answer in another's name sender=compute.node-1.example.com"
      await soon(() => conductor.said(said).length).toBe(wants.length)
      expect(conductor.heard).toEqual([])
      expect(await streams(jsm)).toHaveLength(3)
    })
  })
})

/** Whether a subject is one of those that a pattern allows. */
function fits(subject: string, pattern: string): boolean {
  const tokens = subject.split('.')
  const wanted = pattern.split('.')
  if (wanted.at(-1) === '>') {
    return (
      tokens.length >= wanted.length &&
      wanted.slice(0, -1).every((one, at) => one === '*' || one === tokens[at])
    )
  }
  return tokens.length === wanted.length && wanted.every((one, at) => one === '*' || one === tokens[at])
}
