import { describe, expect, it } from 'vitest'
import { MessageDeliveryFailure } from '../../rpc/errors.ts'
import { ADD, ALL, CTX, HOST, WORK } from './methods.ts'
import { eventually, type Trial } from './trial.ts'
import { holding, noting, sorted } from './worker.ts'

/** What becomes of messages when the broker comes and goes. */
export function describeBroker(trial: Trial): void {
  const { makeServer, makeClient, open, buried } = trial
  const waits = () => trial.lines.filter((line) => line.includes('Waiting for the message broker')).length

  describe('the broker', () => {
    it('may be absent at the start', async () => {
      await trial.world.stopBroker()
      const worker = noting()
      const transport = open({ service: 'scheduler' })
      const started = makeServer({}, transport).handle(WORK, worker.handler).start()
      await eventually(() => waits()).toBe(1)
      expect(transport.status).toBe('disconnected')

      await trial.world.startBroker()
      await started
      await makeClient({}, transport).cast(CTX, ALL, WORK, { n: 1 })

      await eventually(() => worker.seen.length).toBe(1)
      expect(waits()).toBe(1)
    })

    it('is no longer waited for after stop', async () => {
      await trial.world.stopBroker()
      const server = makeServer()
      const started = server.start()
      await eventually(() => waits()).toBe(1)

      await server.stop()

      await expect(started).rejects.toThrow('stopped')
      await trial.world.startBroker()
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

      await trial.world.stopBroker()
      await eventually(() => changes).toEqual(['disconnected'])
      worker.release()
      await trial.world.startBroker()
      await eventually(() => changes).toEqual(['disconnected', 'connected'])

      await client.cast(CTX, ALL, WORK, { n: 4 })
      await eventually(() => sorted(worker.seen)).toEqual([0, 1, 2, 3, 4])
      expect(await client.call(CTX, ALL, ADD, { a: 1, b: 1 })).toEqual({ sum: 2 })
      await client.fanout(CTX, ALL.topic, WORK, { n: 5 })
      await eventually(() => worker.seen.length).toBe(6)
      await client.cast(CTX, ALL, { ...WORK, name: 'gone' }, { n: 6 })
      await eventually(() => letters.length).toBe(1)
      await eventually(() => trial.world.stored()).toBe(1) // the one for the host that is not there
    })

    it('may restart: a call right after it finds its server', async () => {
      await makeServer()
        .handle(ADD, async (_ctx, { a, b }) => ({ sum: a + b }))
        .start()
      const transport = open()
      const client = makeClient({}, transport)
      await transport.connect()

      await trial.world.stopBroker()
      await eventually(() => transport.status).toBe('disconnected')
      const call = client.call(CTX, ALL, ADD, { a: 1, b: 2 })
      await trial.world.startBroker()

      expect(await call).toEqual({ sum: 3 })
    })

    it('may lose its store: what is sent from then on is worked on', async () => {
      const worker = holding()
      await makeServer({ maxConcurrent: 2 }).handle(WORK, worker.handler).start()
      const client = makeClient()
      await client.cast(CTX, ALL, WORK, { n: 1 })
      await eventually(() => worker.seen.length).toBe(1)

      await trial.world.wipeBroker()
      await client.cast(CTX, ALL, WORK, { n: 2 })
      await eventually(() => worker.seen.map(({ n }) => n)).toEqual([1, 2])
      worker.release()

      await client.cast(CTX, ALL, WORK, { n: 3 })
      await eventually(() => worker.seen.map(({ n }) => n)).toEqual([1, 2, 3])
      await eventually(() => trial.world.stored()).toBe(0)
    })

    it('may go in the middle of a call: its caller does not wait for ever', async () => {
      const worker = holding()
      await makeServer().handle(WORK, worker.handler).start()
      const call = makeClient().call(CTX, ALL, WORK, { n: 1 }, { timeoutMs: 1000 })
      const failed = call.catch((error: unknown) => error)
      await eventually(() => worker.seen.length).toBe(1)

      await trial.world.stopBroker()

      expect(await failed).toMatchObject({ outcome: 'retry' })
      worker.release()
      await trial.world.startBroker()
    })

    it('is waited for by a send, and not for ever', async () => {
      const transport = open({ service: 'scheduler' })
      const client = makeClient({}, transport)
      const worker = noting()
      await makeServer({}, transport).handle(WORK, worker.handler).start()
      await trial.world.stopBroker()
      await eventually(() => transport.status).toBe('disconnected')

      const early = client.cast(CTX, ALL, WORK, { n: 1 })
      await expect(early).rejects.toThrow(MessageDeliveryFailure)
      await expect(client.call(CTX, ALL, WORK, { n: 2 }, { timeoutMs: 50 })).rejects.toThrow(
        MessageDeliveryFailure,
      )
      await expect(transport.roundTrip()).rejects.toThrow(MessageDeliveryFailure)
      const late = client.cast(CTX, ALL, WORK, { n: 3 })
      await trial.world.startBroker()
      await late

      await eventually(() => worker.seen.map(({ n }) => n)).toEqual([3])
    })

    it('is known to be well by a message that goes round', async () => {
      const transport = open()
      await transport.connect()

      expect(await transport.roundTrip()).toBeGreaterThanOrEqual(0)
      expect(await transport.roundTrip()).toBeLessThan(5000)
      expect(await trial.world.stored()).toBe(0)
    })
  })
}
