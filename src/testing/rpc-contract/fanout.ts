import { describe, expect, it } from 'vitest'
import { CTX, HOST, WORK } from './methods.ts'
import { eventually, type Trial } from './trial.ts'
import { noting } from './worker.ts'

/** What is told to every server of a topic. */
export function describeFanout(trial: Trial): void {
  const { makeServer, makeClient, open } = trial

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
}
