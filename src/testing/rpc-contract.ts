import { isDeepStrictEqual } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { SystemClock } from '../common/clock.ts'
import type { RequestContext } from '../common/context.ts'
import { InstanceInvalidState } from '../common/errors/instance-state.ts'
import { NoValidHost } from '../common/errors/scheduling.ts'
import { KubernetesUnavailable } from '../common/errors/unavailable.ts'
import { RandomIds } from '../common/ids.ts'
import { loggerTo } from '../common/log.ts'
import { RpcClient, type RpcClientOptions } from '../rpc/client.ts'
import { type DeadLetter, encodeDeadLetter } from '../rpc/dead-letter.ts'
import { DeadLetterConsumer } from '../rpc/dead-letter-consumer.ts'
import { encodeEnvelope } from '../rpc/envelope.ts'
import {
  InvalidArguments,
  InvalidMessage,
  MessageDeliveryFailure,
  MessageUndeliverable,
  MessagingTimeout,
  NoSuchMethod,
  RemoteError,
  UnsupportedVersion,
} from '../rpc/errors.ts'
import { encodeHeaders } from '../rpc/headers.ts'
import { defineMethod } from '../rpc/method.ts'
import { type Delivery, RpcServer, type RpcServerOptions } from '../rpc/server.ts'
import type { Sender } from '../rpc/sender.ts'
import type { Target } from '../rpc/target.ts'
import type { Transport } from '../rpc/transport.ts'
import { senderServing } from './memory-rpc.ts'

/** One broker and the ways to break it. Worlds may share a server process as long as their messages do not meet. */
export interface RpcWorld {
  /** After this a message whose worker died is delivered again. Milliseconds. */
  readonly ackWaitMs: number
  /** A transport of its own: what one process has. `publishDeadlineMs` is short, to be seen passing. */
  open(sender: Sender, log: LogLines): Transport
  /** How many casts the broker holds. */
  stored(): Promise<number>
  /** Takes the broker away, as a crash would. What it had acknowledged stays on its disk. */
  stopBroker(): Promise<void>
  startBroker(): Promise<void>
  /** Takes the broker away and brings it back with an empty disk. */
  wipeBroker(): Promise<void>
  close(): Promise<void>
}

/** What was logged, a line each. */
export type LogLines = string[]

const CTX: RequestContext = {
  requestId: 'req-00000000-0000-4000-8000-000000000001',
  globalRequestId: 'req-00000000-0000-4000-8000-000000000002',
  user: 'jürgen, "the admin" <j@example.com>',
  project: 'blue',
}

const WORK = defineMethod({ name: 'work', version: '1.0', args: z.object({ n: z.number() }) })
const ADD = defineMethod({
  name: 'add',
  version: '1.1',
  args: z.object({ a: z.number(), b: z.number() }),
  result: z.object({ sum: z.number() }),
})
const HOST = { topic: 'compute', host: 'node-1.example.com' }
const ALL = { topic: 'scheduler' }

/** The behaviour every transport owes to RpcClient and RpcServer. */
export function describeRpcContract(name: string, makeWorld: () => Promise<RpcWorld>): void {
  describe(`${name}: rpc`, () => {
    const clock = new SystemClock()
    const ids = new RandomIds()
    let world: RpcWorld
    let lines: LogLines
    let leave: (() => Promise<void>)[]

    beforeEach(async () => {
      world = await makeWorld()
      lines = []
      leave = []
    })
    afterEach(async () => {
      for (const step of leave.reverse()) await step()
      await world.close()
    })

    const log = () => loggerTo((line) => lines.push(line), { format: 'text', level: 'debug' })
    const open = (sender: Sender = { service: 'api' }): Transport => {
      const transport = world.open(sender, lines)
      leave.push(() => transport.close())
      return transport
    }
    const makeClient = (options: RpcClientOptions = {}, transport = open()): RpcClient =>
      new RpcClient({ transport, clock, ids, log: log() }, options)
    const makeServer = (
      options: Partial<RpcServerOptions> = {},
      transport = open(senderServing(options.target ?? ALL)),
    ): RpcServer => {
      const server = new RpcServer(
        { transport, clock, log: log() },
        { target: ALL, version: '1.2', retryDelayMs: () => 10, drainTimeoutMs: 10_000, ...options },
      )
      leave.push(() => server.stop())
      return server
    }
    const buried = async (): Promise<DeadLetter[]> => {
      const letters: DeadLetter[] = []
      const consumer = new DeadLetterConsumer({ transport: open({ service: 'conductor' }), log: log() })
      leave.push(() => consumer.stop())
      await consumer.start(async (letter) => void letters.push(letter))
      return letters
    }
    const eventually = (check: () => unknown) => expect.poll(check, { timeout: 20_000, interval: 5 })

    /** A worker of WORK that remembers what it got and, until told otherwise, holds on to it. */
    const holding = () => {
      const seen: { n: number; delivery: Delivery }[] = []
      const gate = Promise.withResolvers<void>()
      const state = { running: 0, most: 0 }
      const handler = async (_ctx: RequestContext, { n }: { n: number }, delivery: Delivery) => {
        seen.push({ n, delivery })
        state.running += 1
        state.most = Math.max(state.most, state.running)
        await gate.promise
        state.running -= 1
      }
      return { seen, state, handler, release: () => gate.resolve() }
    }
    const noting = () => {
      const worker = holding()
      worker.release()
      return worker
    }

    describe('cast', () => {
      it('is delivered once and forgotten by the broker', async () => {
        const worker = noting()
        await makeServer().handle(WORK, worker.handler).start()

        await makeClient().cast(CTX, ALL, WORK, { n: 1 })

        await eventually(() => world.stored()).toBe(0)
        expect(worker.seen).toEqual([
          { n: 1, delivery: { attempt: 1, kind: 'cast', sender: { service: 'api' } } },
        ])
      })

      it('waits for a server that comes later', async () => {
        const client = makeClient()
        await client.cast(CTX, HOST, WORK, { n: 1 })
        await client.cast(CTX, HOST, WORK, { n: 2 })
        const worker = noting()

        await makeServer({ target: HOST }).handle(WORK, worker.handler).start()

        await eventually(() => worker.seen.map(({ n }) => n)).toEqual([1, 2])
      })

      it('comes again, counted, when the handler fails for the moment', async () => {
        const attempts: number[] = []
        await makeServer()
          .handle(WORK, async (_ctx, _args, { attempt }) => {
            attempts.push(attempt)
            if (attempt === 1) throw new KubernetesUnavailable({ reason: 'try later' })
            if (attempt === 2) throw new Error('a bug')
          })
          .start()

        await makeClient().cast(CTX, ALL, WORK, { n: 1 })

        await eventually(() => world.stored()).toBe(0)
        expect(attempts).toEqual([1, 2, 3])
      })

      it('becomes a dead letter after its last try', async () => {
        let tries = 0
        await makeServer({ target: HOST, maxDeliveries: 3 })
          .handle(WORK, async () => {
            tries += 1
            throw new KubernetesUnavailable({ reason: 'never' })
          })
          .start()
        const letters = await buried()

        await makeClient().cast(CTX, HOST, WORK, { n: 7 })

        await eventually(() => letters).toEqual([
          {
            topic: 'compute',
            host: 'node-1.example.com',
            method: 'work',
            ctx: CTX,
            args: { n: 7 },
            error: {
              name: 'KubernetesUnavailable',
              message: 'The Kubernetes API could not be used: never',
              details: { reason: 'never' },
            },
            attempts: 3,
          },
        ])
        await eventually(() => world.stored()).toBe(0)
        expect(tries).toBe(3)
      })

      it('becomes a dead letter at once when no retry helps', async () => {
        await makeServer()
          .handle(WORK, async () => {
            throw new NoValidHost({ reason: 'none' })
          })
          .start()
        await makeClient().cast(CTX, ALL, WORK, { n: 1 })
        await eventually(() => world.stored()).toBe(0)

        // The letter waits for its consumer, as a cast does.
        const letters = await buried()

        await eventually(() => letters).toMatchObject([{ attempts: 1, error: { name: 'NoValidHost' } }])
      })

      it('keeps a dead letter until its handler succeeds', async () => {
        await makeServer().start()
        const attempts: string[] = []
        const consumer = new DeadLetterConsumer(
          { transport: open({ service: 'conductor' }), log: log() },
          { retryDelayMs: () => 10 },
        )
        leave.push(() => consumer.stop())
        await consumer.start(async (letter) => {
          attempts.push(letter.error.name)
          if (attempts.length < 3) throw new Error('not now')
        })

        await makeClient().cast(CTX, ALL, WORK, { n: 1 })

        await eventually(() => attempts).toEqual(['NoSuchMethod', 'NoSuchMethod', 'NoSuchMethod'])
      })

      it('goes to another worker when its worker is killed in the middle', async () => {
        const doomed = holding()
        const transport = open({ service: 'scheduler' })
        await makeServer({ drainTimeoutMs: 0 }, transport).handle(WORK, doomed.handler).start()
        await makeClient().cast(CTX, ALL, WORK, { n: 1 })
        await eventually(() => doomed.seen.length).toBe(1)

        await transport.close()
        const heir = noting()
        await makeServer().handle(WORK, heir.handler).start()

        await eventually(() => heir.seen).toMatchObject([{ n: 1, delivery: { attempt: 2 } }])
        await eventually(() => world.stored()).toBe(0)
        doomed.release()
      })

      it('becomes a dead letter when every worker dies over it', async () => {
        const letters = await buried()
        await makeClient().cast(CTX, ALL, WORK, { n: 1 })
        const killers = []
        for (let death = 1; death <= 2; death += 1) {
          const doomed = holding()
          const transport = open({ service: 'scheduler' })
          await makeServer({ drainTimeoutMs: 0, maxDeliveries: 2 }, transport)
            .handle(WORK, doomed.handler)
            .start()
          await eventually(() => doomed.seen.length).toBe(1)
          await transport.close()
          killers.push(doomed)
        }
        const worker = noting()
        await makeServer({ maxDeliveries: 2 }).handle(WORK, worker.handler).start()

        await eventually(() => letters).toMatchObject([{ error: { name: 'DeliveriesExhausted' } }])
        expect(worker.seen).toEqual([])
        for (const doomed of killers) doomed.release()
      })

      it('is not delivered again while its work takes long', async () => {
        let deliveries = 0
        const work = async () => {
          deliveries += 1
          await clock.sleep(world.ackWaitMs * 2.5)
        }
        await makeServer().handle(WORK, work).start()
        await makeServer().handle(WORK, work).start()

        await makeClient().cast(CTX, ALL, WORK, { n: 1 })

        await eventually(() => world.stored()).toBe(0)
        expect(deliveries).toBe(1)
      })

      it('runs up to maxConcurrent at a time, and no more', async () => {
        const worker = holding()
        const client = makeClient()
        await Promise.all(Array.from({ length: 30 }, (_, n) => client.cast(CTX, ALL, WORK, { n })))
        await makeServer({ maxConcurrent: 8 }).handle(WORK, worker.handler).start()

        await eventually(() => worker.state.running).toBe(8)
        worker.release()

        await eventually(() => worker.seen.length).toBe(30)
        await eventually(() => world.stored()).toBe(0)
        expect(worker.state.most).toBe(8)
        expect(worker.seen.every(({ delivery }) => delivery.attempt === 1)).toBe(true)
      })

      it('leaves what does not fit to a server that is free', async () => {
        const busy = holding()
        await makeServer({ maxConcurrent: 1 }).handle(WORK, busy.handler).start()
        const client = makeClient()
        await client.cast(CTX, ALL, WORK, { n: 0 })
        await eventually(() => busy.seen.length).toBe(1)
        const free = noting()
        await makeServer({ maxConcurrent: 1 }).handle(WORK, free.handler).start()

        for (let n = 1; n <= 5; n += 1) await client.cast(CTX, ALL, WORK, { n })

        await eventually(() => free.seen.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5])
        busy.release()
      })

      it('goes to its host alone', async () => {
        const other = { topic: 'compute', host: 'node-2.example.com' }
        const [first, second] = [noting(), noting()]
        await makeServer({ target: HOST }).handle(WORK, first.handler).start()
        await makeServer({ target: other }).handle(WORK, second.handler).start()
        const client = makeClient()

        await client.cast(CTX, HOST, WORK, { n: 1 })
        await client.cast(CTX, other, WORK, { n: 2 })

        await eventually(() => world.stored()).toBe(0)
        expect([first.seen, second.seen]).toMatchObject([[{ n: 1 }], [{ n: 2 }]])
      })
    })

    describe('call', () => {
      it('brings the result', async () => {
        await makeServer()
          .handle(ADD, async (_ctx, { a, b }) => ({ sum: a + b }))
          .handle(WORK, async () => undefined)
          .start()
        const client = makeClient()

        expect(await client.call(CTX, ALL, ADD, { a: 2, b: 3 })).toEqual({ sum: 5 })
        expect(await client.call(CTX, ALL, WORK, { n: 1 })).toBeUndefined()
      })

      it('brings an error as its own class, with its details', async () => {
        const thrown = new InstanceInvalidState({
          instance: 'i-1',
          method: 'stop',
          attr: 'vm_state',
          state: 'paused',
        })
        await makeServer()
          .handle(WORK, async () => {
            throw thrown
          })
          .start()

        const error: unknown = await makeClient()
          .call(CTX, ALL, WORK, { n: 1 })
          .catch((reason: unknown) => reason)

        expect(error).toBeInstanceOf(InstanceInvalidState)
        expect(error).toMatchObject({ message: thrown.message, details: thrown.details, outcome: 'terminal' })
        expect(lines.filter((line) => line.includes(' ERROR '))).toEqual([])
      })

      it('brings an error it does not know as RemoteError, whose stack is in the log over there', async () => {
        class Oops extends Error {
          override readonly name = 'Oops'
        }
        await makeServer()
          .handle(WORK, async () => {
            throw new Oops('it broke')
          })
          .start()

        const error: unknown = await makeClient()
          .call(CTX, ALL, WORK, { n: 1 })
          .catch((reason: unknown) => reason)

        expect(error).toBeInstanceOf(RemoteError)
        expect(error).toMatchObject({ details: { type: 'Oops', reason: 'it broke' } })
        const logged = lines.filter((line) => line.includes(' ERROR nova.rpc.server '))
        expect(logged).toHaveLength(1)
        expect(logged[0]).toMatch(/req-0{8}-.*Handler failed.*stack=/)
      })

      it('times out', async () => {
        const worker = holding()
        await makeServer().handle(WORK, worker.handler).start()

        const call = makeClient().call(CTX, ALL, WORK, { n: 1 }, { timeoutMs: 50 })

        await expect(call).rejects.toThrow(MessagingTimeout)
        worker.release()
      })

      it("ends with its context's deadline", async () => {
        const worker = holding()
        await makeServer().handle(WORK, worker.handler).start()
        const client = makeClient()

        const soon = client.call({ ...CTX, deadlineMs: clock.now() + 50 }, ALL, WORK, { n: 1 })
        await expect(soon).rejects.toThrow(MessagingTimeout)
        const past = client.call({ ...CTX, deadlineMs: clock.now() - 1 }, ALL, WORK, { n: 2 })
        await expect(past).rejects.toThrow(MessagingTimeout)

        expect(worker.seen).toMatchObject([{ n: 1 }])
        worker.release()
      })

      it('says at once that there is no such server', async () => {
        await makeServer({ target: HOST }).start()
        const nowhere = { topic: 'compute', host: 'node-9' }

        const call = makeClient().call(CTX, nowhere, WORK, { n: 1 })

        await expect(call).rejects.toThrow(MessageUndeliverable)
        await expect(call).rejects.toMatchObject({ details: { ...nowhere, method: 'work' } })
      })

      it('goes to one server of the topic', async () => {
        const served = [0, 0]
        for (const index of [0, 1]) {
          await makeServer()
            .handle(WORK, async () => {
              served[index] = (served[index] ?? 0) + 1
            })
            .start()
        }
        const client = makeClient()

        for (let n = 0; n < 10; n += 1) await client.call(CTX, ALL, WORK, { n })

        expect((served[0] ?? 0) + (served[1] ?? 0)).toBe(10)
      })

      it('refuses a result that does not fit', async () => {
        const lying = defineMethod({ ...ADD, result: z.object({ sum: z.string() }) })
        await makeServer()
          .handle(lying, async () => ({ sum: 'five' }))
          .start()

        const call = makeClient().call(CTX, ALL, ADD, { a: 2, b: 3 })

        await expect(call).rejects.toThrow(InvalidMessage)
        await expect(call).rejects.toThrow("result of 'add': sum:")
      })
    })

    describe('fanout', () => {
      it('reaches every server of the topic, on whatever host', async () => {
        const workers = [noting(), noting(), noting()]
        const targets = [HOST, { topic: 'compute', host: 'node-2' }, { topic: 'scheduler' }]
        for (const [index, target] of targets.entries()) {
          await makeServer({ target })
            .handle(WORK, workers[index]?.handler ?? (async () => undefined))
            .start()
        }

        await makeClient({}, open({ service: 'scheduler' })).fanout(CTX, 'compute', WORK, { n: 1 })

        await eventually(() => workers.map(({ seen }) => seen.length)).toEqual([1, 1, 0])
        expect(workers[0]?.seen[0]?.delivery).toEqual({
          attempt: 1,
          kind: 'fanout',
          sender: { service: 'scheduler' },
        })
      })

      it('outlives a handler that fails', async () => {
        const seen: number[] = []
        await makeServer()
          .handle(WORK, async (_ctx, { n }) => {
            seen.push(n)
            throw new Error('a bug')
          })
          .start()
        const client = makeClient()

        await client.fanout(CTX, 'scheduler', WORK, { n: 1 })
        await client.fanout(CTX, 'scheduler', WORK, { n: 2 })

        await eventually(() => seen).toEqual([1, 2])
      })
    })

    describe('the sender', () => {
      const AGENT = { service: 'compute', host: HOST.host } as const

      it('is known with every kind of message', async () => {
        const senders: Sender[] = []
        await makeServer()
          .handle(WORK, async (_ctx, _args, { sender }) => void senders.push(sender))
          .start()
        const client = makeClient({}, open(AGENT))

        await client.cast(CTX, ALL, WORK, { n: 1 })
        await client.call(CTX, ALL, WORK, { n: 2 })
        await client.fanout(CTX, ALL.topic, WORK, { n: 3 })

        await eventually(() => senders).toEqual([AGENT, AGENT, AGENT])
      })

      it('is not who the headers claim', async () => {
        const senders: Sender[] = []
        await makeServer()
          .handle(WORK, async (_ctx, _args, { sender }) => void senders.push(sender))
          .start()
        const transport = open(AGENT)
        const message = {
          headers: { ...encodeHeaders(CTX, clock.now()), 'Kilonova-Sender': 'scheduler' },
          body: encodeEnvelope({ method: WORK.name, version: WORK.version, args: { n: 1 } }),
        }

        await transport.publishCast(ALL, message, ids.uuid())
        await transport.request(ALL, message, 5000)
        await transport.publishFanout(ALL.topic, message)

        await eventually(() => senders).toEqual([AGENT, AGENT, AGENT])
      })

      it("buries its own queue's messages, and nobody else's", async () => {
        const letters = await buried()
        const body = (target: Target): string =>
          encodeDeadLetter({
            ...target,
            method: 'work',
            ctx: CTX,
            error: { name: 'NoValidHost', message: 'none' },
            attempts: 1,
          })
        const bury = (letter: Target): Promise<void> =>
          open(AGENT).publishDeadLetter('compute', { headers: {}, body: body(letter) }, ids.uuid())

        await bury({ topic: 'compute', host: 'node-2' })
        await bury({ topic: 'compute' })
        await bury(ALL)
        await bury(HOST)

        await eventually(() => letters).toMatchObject([HOST])
        const dropped = (): string[] =>
          lines.filter((line) => line.includes("Dropped a dead letter of another's queue"))
        await eventually(() => dropped().length).toBe(3)
        expect(dropped()[0]).toContain('sender=compute.node-1.example.com target=compute.node-2')
      })
    })

    describe('context', () => {
      it('crosses with every kind of message', async () => {
        const contexts: RequestContext[] = []
        await makeServer()
          .handle(WORK, async (ctx) => void contexts.push(ctx))
          .start()
        const client = makeClient()
        const ctx = { ...CTX, deadlineMs: clock.now() + 20_000 }

        await client.cast(ctx, ALL, WORK, { n: 1 })
        await client.call(ctx, ALL, WORK, { n: 2 })
        await client.fanout(ctx, ALL.topic, WORK, { n: 3 })

        // What nobody waits for has all the time it needs, also where it was handed on from within a call.
        await eventually(() => contexts.length).toBe(3)
        expect(contexts).toContainEqual(ctx)
        expect(contexts.filter((one) => isDeepStrictEqual(one, CTX))).toHaveLength(2)
      })

      it('has the time the caller gives up as its deadline', async () => {
        const deadlines: (number | undefined)[] = []
        await makeServer()
          .handle(WORK, async (ctx) => void deadlines.push(ctx.deadlineMs))
          .start()
        const before = clock.now()

        await makeClient().call(CTX, ALL, WORK, { n: 1 }, { timeoutMs: 5000 })

        expect(deadlines[0]).toBeGreaterThanOrEqual(before + 5000)
        expect(deadlines[0]).toBeLessThanOrEqual(clock.now() + 5000)
      })
    })

    describe('a bad message', () => {
      const FUTURE = defineMethod({ name: 'work', version: '1.3', args: z.object({ n: z.number() }) })
      const OTHER = defineMethod({ name: 'work', version: '2.0', args: z.object({ n: z.number() }) })
      const GONE = defineMethod({ name: 'gone', version: '1.0', args: z.object({}) })
      const LOOSE = defineMethod({ name: 'work', version: '1.0', args: z.unknown() })

      it.each([
        { what: 'wrong arguments', method: LOOSE, args: { n: 'one' }, error: InvalidArguments, says: 'n: ' },
        {
          what: 'missing arguments',
          method: LOOSE,
          args: undefined,
          error: InvalidArguments,
          says: 'object',
        },
        { what: 'an unknown method', method: GONE, args: {}, error: NoSuchMethod, says: "no method 'gone'" },
        {
          what: 'a newer minor version',
          method: FUTURE,
          args: { n: 1 },
          error: UnsupportedVersion,
          says: 'version 1.3',
        },
        {
          what: 'another major version',
          method: OTHER,
          args: { n: 1 },
          error: UnsupportedVersion,
          says: 'serves 1.2',
        },
      ])(
        'with $what is refused, to its caller or into a dead letter',
        async ({ method, args, error, says }) => {
          const worker = noting()
          await makeServer().handle(WORK, worker.handler).start()
          const letters = await buried()
          const client = makeClient()
          // The cast is what a sender in another language, or of another age, does without asking the compiler.
          const loose = { ...method, args: z.unknown(), result: z.unknown() }

          const call = client.call(CTX, ALL, loose, args)
          await expect(call).rejects.toThrow(error)
          await expect(call).rejects.toThrow(says)
          await client.cast(CTX, ALL, loose, args)
          await client.fanout(CTX, ALL.topic, loose, args)

          await eventually(() => letters).toMatchObject([
            { topic: 'scheduler', method: method.name, ctx: CTX, attempts: 1, error: { name: error.name } },
          ])
          await eventually(() => lines.filter((line) => line.includes('Refused a message')).length).toBe(3)
          expect(lines.find((line) => line.includes('Refused a message'))).toContain(
            ' WARNING nova.rpc.server ',
          )
          await client.cast(CTX, ALL, WORK, { n: 5 })
          await client.call(CTX, ALL, WORK, { n: 6 })
          await eventually(() => sorted(worker.seen)).toEqual([5, 6])
        },
      )

      it.each([
        { what: 'no JSON', body: '{"method": "work', says: 'not JSON' },
        { what: 'no envelope', body: '[1]', says: 'Invalid message' },
        { what: 'no version', body: '{"method":"work","version":"new","args":{}}', says: 'version' },
        { what: 'no context', body: '{"method":"work","version":"1.0","args":{"n":1}}', says: 'Request-Id' },
      ])('that is $what is refused the same way', async ({ body, says }) => {
        const worker = noting()
        await makeServer().handle(WORK, worker.handler).start()
        const letters = await buried()
        const raw = open()
        const message = { headers: {}, body }

        await raw.publishCast(ALL, message, ids.uuid())
        await raw.publishFanout(ALL.topic, message)
        const reply = await raw.request(ALL, message, 5000)

        expect(reply).toMatchObject({ kind: 'message', message: { headers: { 'Kilonova-Failure': '1' } } })
        await eventually(() => letters).toMatchObject([{ error: { name: 'InvalidMessage' } }])
        expect(letters[0]?.error.message).toContain(says)
        await makeClient().cast(CTX, ALL, WORK, { n: 5 })
        await eventually(() => worker.seen.map(({ n }) => n)).toEqual([5])
        await eventually(() => world.stored()).toBe(0)
      })

      it('that is too large is refused before it is sent', async () => {
        const BIG = defineMethod({ name: 'big', version: '1.0', args: z.string(), result: z.string() })
        const fits = 'x'.repeat(900_000)
        await makeServer()
          .handle(BIG, async (_ctx, text) => (text === 'more' ? 'y'.repeat(2_000_000) : text))
          .start()
        const client = makeClient()

        await expect(client.call(CTX, ALL, BIG, 'x'.repeat(1_100_000))).rejects.toThrow(InvalidMessage)
        await expect(client.call(CTX, ALL, BIG, 'more')).rejects.toThrow(InvalidMessage)
        expect(await client.call(CTX, ALL, BIG, fits)).toBe(fits)
      })
    })

    describe('stop', () => {
      it('finishes what has begun, and leaves the rest', async () => {
        const worker = holding()
        const server = makeServer({ maxConcurrent: 2 }).handle(WORK, worker.handler)
        await server.start()
        const client = makeClient()
        for (let n = 0; n < 4; n += 1) await client.cast(CTX, ALL, WORK, { n })
        await eventually(() => worker.seen.length).toBe(2)
        const call = client.call(CTX, ALL, WORK, { n: 10 })
        await eventually(() => worker.seen.length).toBe(3)

        const stopped = server.stop()
        worker.release()
        await stopped

        expect(worker.state.running).toBe(0)
        expect(await call).toBeUndefined()
        await expect(client.call(CTX, ALL, WORK, { n: 11 })).rejects.toThrow(MessageUndeliverable)
        await eventually(() => world.stored()).toBe(2)
        const heir = noting()
        await makeServer().handle(WORK, heir.handler).start()
        await eventually(() => sorted(heir.seen)).toEqual([2, 3])
      })

      it('waits no longer than it was told to, and loses nothing by that', async () => {
        const worker = holding()
        const server = makeServer({ drainTimeoutMs: 20 }).handle(WORK, worker.handler)
        await server.start()
        await makeClient().cast(CTX, ALL, WORK, { n: 0 })
        await eventually(() => worker.seen.length).toBe(1)

        await server.stop()

        expect(worker.state.running).toBe(1)
        expect(lines.some((line) => line.includes('Stopped with work unfinished'))).toBe(true)
        // Handed back, and not waited for until its worker has been silent for long enough.
        const heir = noting()
        await makeServer().handle(WORK, heir.handler).start()
        await eventually(() => heir.seen).toMatchObject([{ n: 0, delivery: { attempt: 2 } }])
        worker.release()
        await eventually(() => world.stored()).toBe(0)
      })

      it('hands back at once what its handlers leave unfinished', async () => {
        const begun = Promise.withResolvers<void>()
        const told = Promise.withResolvers<never>()
        const server = makeServer({ retryDelayMs: () => 3_600_000 }).handle(WORK, async () => {
          begun.resolve()
          await told.promise
        })
        await server.start()
        await makeClient().cast(CTX, ALL, WORK, { n: 0 })
        await begun.promise

        const stopped = server.stop()
        told.reject(new Error('the worker leaves'))
        await stopped

        const heir = noting()
        await makeServer().handle(WORK, heir.handler).start()
        await eventually(() => heir.seen).toMatchObject([{ n: 0, delivery: { attempt: 2 } }])
      })
    })

    describe('the broker', () => {
      it('may be absent at the start', async () => {
        await world.stopBroker()
        const worker = noting()
        const transport = open({ service: 'scheduler' })
        const started = makeServer({}, transport).handle(WORK, worker.handler).start()
        await eventually(() => waits(lines)).toBe(1)
        expect(transport.status).toBe('disconnected')

        await world.startBroker()
        await started
        await makeClient({}, transport).cast(CTX, ALL, WORK, { n: 1 })

        await eventually(() => worker.seen.length).toBe(1)
        expect(waits(lines)).toBe(1)
      })

      it('is no longer waited for after stop', async () => {
        await world.stopBroker()
        const server = makeServer()
        const started = server.start()
        await eventually(() => waits(lines)).toBe(1)

        await server.stop()

        await expect(started).rejects.toThrow('stopped')
        await world.startBroker()
      })

      it('may restart: nothing it took is lost, and all goes on by itself', async () => {
        const worker = holding()
        const transport = open({ service: 'scheduler' })
        const server = makeServer({ maxConcurrent: 2 }, transport).handle(WORK, worker.handler)
        await server.handle(ADD, async (_ctx, { a, b }) => ({ sum: a + b })).start()
        const letters = await buried()
        const client = makeClient()
        for (let n = 0; n < 4; n += 1) await client.cast(CTX, ALL, WORK, { n })
        await client.cast(CTX, HOST, WORK, { n: 100 })
        await eventually(() => worker.seen.length).toBe(2)
        const changes: string[] = []
        transport.onStatus((status) => changes.push(status))

        await world.stopBroker()
        await eventually(() => changes).toEqual(['disconnected'])
        worker.release()
        await world.startBroker()
        await eventually(() => changes).toEqual(['disconnected', 'connected'])

        await client.cast(CTX, ALL, WORK, { n: 4 })
        await eventually(() => sorted(worker.seen)).toEqual([0, 1, 2, 3, 4])
        expect(await client.call(CTX, ALL, ADD, { a: 1, b: 1 })).toEqual({ sum: 2 })
        await client.fanout(CTX, ALL.topic, WORK, { n: 5 })
        await eventually(() => worker.seen.length).toBe(6)
        await client.cast(CTX, ALL, { ...WORK, name: 'gone' }, { n: 6 })
        await eventually(() => letters.length).toBe(1)
        await eventually(() => world.stored()).toBe(1) // the one for the host that is not there
      })

      it('may restart: a call right after it finds its server', async () => {
        await makeServer()
          .handle(ADD, async (_ctx, { a, b }) => ({ sum: a + b }))
          .start()
        const transport = open()
        const client = makeClient({}, transport)
        await transport.connect()

        await world.stopBroker()
        await eventually(() => transport.status).toBe('disconnected')
        const call = client.call(CTX, ALL, ADD, { a: 1, b: 2 })
        await world.startBroker()

        expect(await call).toEqual({ sum: 3 })
      })

      it('may lose its store: what is sent from then on is worked on', async () => {
        const worker = holding()
        await makeServer({ maxConcurrent: 2 }).handle(WORK, worker.handler).start()
        const client = makeClient()
        await client.cast(CTX, ALL, WORK, { n: 1 })
        await eventually(() => worker.seen.length).toBe(1)

        await world.wipeBroker()
        await client.cast(CTX, ALL, WORK, { n: 2 })
        await eventually(() => worker.seen.map(({ n }) => n)).toEqual([1, 2])
        worker.release()

        await client.cast(CTX, ALL, WORK, { n: 3 })
        await eventually(() => worker.seen.map(({ n }) => n)).toEqual([1, 2, 3])
        await eventually(() => world.stored()).toBe(0)
      })

      it('may go in the middle of a call: its caller does not wait for ever', async () => {
        const worker = holding()
        await makeServer().handle(WORK, worker.handler).start()
        const call = makeClient().call(CTX, ALL, WORK, { n: 1 }, { timeoutMs: 1000 })
        const failed = call.catch((error: unknown) => error)
        await eventually(() => worker.seen.length).toBe(1)

        await world.stopBroker()

        expect(await failed).toMatchObject({ outcome: 'retry' })
        worker.release()
        await world.startBroker()
      })

      it('is waited for by a send, and not for ever', async () => {
        const transport = open({ service: 'scheduler' })
        const client = makeClient({}, transport)
        const worker = noting()
        await makeServer({}, transport).handle(WORK, worker.handler).start()
        await world.stopBroker()
        await eventually(() => transport.status).toBe('disconnected')

        const early = client.cast(CTX, ALL, WORK, { n: 1 })
        await expect(early).rejects.toThrow(MessageDeliveryFailure)
        await expect(client.call(CTX, ALL, WORK, { n: 2 }, { timeoutMs: 50 })).rejects.toThrow(
          MessageDeliveryFailure,
        )
        await expect(transport.roundTrip()).rejects.toThrow(MessageDeliveryFailure)
        const late = client.cast(CTX, ALL, WORK, { n: 3 })
        await world.startBroker()
        await late

        await eventually(() => worker.seen.map(({ n }) => n)).toEqual([3])
      })

      it('is known to be well by a message that goes round', async () => {
        const transport = open()
        await transport.connect()

        expect(await transport.roundTrip()).toBeGreaterThanOrEqual(0)
        expect(await transport.roundTrip()).toBeLessThan(5000)
        expect(await world.stored()).toBe(0)
      })
    })
  })
}

function waits(lines: LogLines): number {
  return lines.filter((line) => line.includes('Waiting for the message broker')).length
}

/** The casts of one worker may run side by side, so their order says nothing. */
function sorted(seen: readonly { readonly n: number }[]): number[] {
  return seen.map(({ n }) => n).toSorted((a, b) => a - b)
}
