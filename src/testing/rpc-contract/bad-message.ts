import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { InvalidArguments, InvalidMessage, NoSuchMethod, UnsupportedVersion } from '../../rpc/errors.ts'
import { defineMethod } from '../../rpc/method.ts'
import { ALL, CTX, WORK } from './methods.ts'
import { ids, eventually, type Trial } from './trial.ts'
import { noting, sorted } from './worker.ts'

/** What cannot be worked on is refused, and is in nobody's way. */
export function describeBadMessage(trial: Trial): void {
  const { makeServer, makeClient, open, buried } = trial

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
        await eventually(() => trial.lines.filter((line) => line.includes('Refused a message')).length).toBe(
          3,
        )
        expect(trial.lines.find((line) => line.includes('Refused a message'))).toContain(
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
      await eventually(() => trial.world.stored()).toBe(0)
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
}
