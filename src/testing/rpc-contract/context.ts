import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { RequestContext } from '../../common/context.ts'
import { ALL, CTX, WORK } from './methods.ts'
import { clock, eventually, type Trial } from './trial.ts'

/** What travels along with a message. */
export function describeContext(trial: Trial): void {
  const { makeServer, makeClient } = trial

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
}
