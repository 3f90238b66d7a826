import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { InstanceInvalidState } from '../../common/errors/instance-state.ts'
import {
  InvalidMessage,
  MessageUndeliverable,
  MessagingTimeout,
  RemoteError,
  ServerBusy,
} from '../../rpc/errors.ts'
import { defineMethod } from '../../rpc/method.ts'
import { ADD, ALL, CTX, HOST, WORK } from './methods.ts'
import { clock, eventually, type Trial } from './trial.ts'
import { holding } from './worker.ts'

/** What is asked, and answered at once. */
export function describeCall(trial: Trial): void {
  const { makeServer, makeClient } = trial

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
      expect(trial.lines.filter((line) => line.includes(' ERROR '))).toEqual([])
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
      const logged = trial.lines.filter((line) => line.includes(' ERROR nova.rpc.server '))
      expect(logged).toHaveLength(1)
      expect(logged[0]).toMatch(/req-0{8}-.*Handler failed.*stack=/)
    })

    it('is refused by a server that has enough of them in hand, and taken when one has ended', async () => {
      const worker = holding()
      await makeServer({ maxCalls: 2 })
        .handle(WORK, worker.handler)
        .handle(ADD, async (_ctx, { a, b }) => ({ sum: a + b }))
        .start()
      const client = makeClient()
      const held = [1, 2].map(async (n) => client.call(CTX, ALL, WORK, { n }))
      await eventually(() => worker.seen.length).toBe(2)

      const third: unknown = await client.call(CTX, ALL, ADD, { a: 2, b: 3 }).catch((error: unknown) => error)

      expect(third).toBeInstanceOf(ServerBusy)
      expect(third).toMatchObject({ outcome: 'retry', details: { calls: 2 } })
      worker.release()
      await Promise.all(held)
      expect(await client.call(CTX, ALL, ADD, { a: 2, b: 3 })).toEqual({ sum: 5 })
    })

    it('that is refused so is in the log once, until there was room again', async () => {
      let worker = holding()
      await makeServer({ maxCalls: 2 })
        .handle(WORK, async (...message) => worker.handler(...message))
        .start()
      const client = makeClient()
      const refuseTwo = async (): Promise<void> => {
        worker = holding()
        const held = [1, 2].map(async (n) => client.call(CTX, ALL, WORK, { n }))
        await eventually(() => worker.seen.length).toBe(2)
        for (const n of [3, 4]) {
          await expect(client.call(CTX, ALL, WORK, { n })).rejects.toThrow(ServerBusy)
        }
        worker.release()
        await Promise.all(held)
      }
      const warnings = () => trial.lines.filter((line) => line.includes(' WARNING nova.rpc.server '))

      await refuseTwo()
      expect(warnings()).toEqual([expect.stringMatching(/Refuses calls.* calls=2/)])
      await refuseTwo()
      expect(warnings()).toHaveLength(2)
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
}
