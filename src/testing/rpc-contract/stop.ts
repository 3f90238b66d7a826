import { describe, expect, it } from 'vitest'
import { MessageUndeliverable } from '../../rpc/errors.ts'
import { ALL, CTX, WORK } from './methods.ts'
import { eventually, type Trial } from './trial.ts'
import { holding, noting, sorted } from './worker.ts'

/** How a server leaves. */
export function describeStop(trial: Trial): void {
  const { makeServer, makeClient } = trial

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
      await eventually(() => trial.world.stored()).toBe(2)
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
      expect(trial.lines.some((line) => line.includes('Stopped with work unfinished'))).toBe(true)
      // Handed back, and not waited for until its worker has been silent for long enough.
      const heir = noting()
      await makeServer().handle(WORK, heir.handler).start()
      await eventually(() => heir.seen).toMatchObject([{ n: 0, delivery: { attempt: 2 } }])
      worker.release()
      await eventually(() => trial.world.stored()).toBe(0)
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
}
