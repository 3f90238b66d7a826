import { describe, expect, it } from 'vitest'
import { NoValidHost } from '../../common/errors/scheduling.ts'
import { KubernetesUnavailable } from '../../common/errors/unavailable.ts'
import { DeadLetterConsumer } from '../../rpc/dead-letter-consumer.ts'
import { ALL, CTX, HOST, WORK } from './methods.ts'
import { clock, eventually, type Trial } from './trial.ts'
import { holding, noting } from './worker.ts'

/** What is sent to be done once, by somebody, some time. */
export function describeCast(trial: Trial): void {
  const { makeServer, makeClient, open, buried } = trial

  describe('cast', () => {
    it('is delivered once and forgotten by the broker', async () => {
      const worker = noting()
      await makeServer().handle(WORK, worker.handler).start()

      await makeClient().cast(CTX, ALL, WORK, { n: 1 })

      await eventually(() => trial.world.stored()).toBe(0)
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

      await eventually(() => trial.world.stored()).toBe(0)
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
      await eventually(() => trial.world.stored()).toBe(0)
      expect(tries).toBe(3)
    })

    it('becomes a dead letter at once when no retry helps', async () => {
      await makeServer()
        .handle(WORK, async () => {
          throw new NoValidHost({ reason: 'none' })
        })
        .start()
      await makeClient().cast(CTX, ALL, WORK, { n: 1 })
      await eventually(() => trial.world.stored()).toBe(0)

      // The letter waits for its consumer, as a cast does.
      const letters = await buried()

      await eventually(() => letters).toMatchObject([{ attempts: 1, error: { name: 'NoValidHost' } }])
    })

    it('keeps a dead letter until its handler succeeds', async () => {
      await makeServer().start()
      const attempts: string[] = []
      const consumer = new DeadLetterConsumer(
        { transport: open({ service: 'conductor' }), log: trial.log() },
        { retryDelayMs: () => 10 },
      )
      trial.leaveWith(() => consumer.stop())
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
      await eventually(() => trial.world.stored()).toBe(0)
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
        await clock.sleep(trial.world.ackWaitMs * 2.5)
      }
      await makeServer().handle(WORK, work).start()
      await makeServer().handle(WORK, work).start()

      await makeClient().cast(CTX, ALL, WORK, { n: 1 })

      await eventually(() => trial.world.stored()).toBe(0)
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
      await eventually(() => trial.world.stored()).toBe(0)
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

      await eventually(() => trial.world.stored()).toBe(0)
      expect([first.seen, second.seen]).toMatchObject([[{ n: 1 }], [{ n: 2 }]])
    })
  })
}
