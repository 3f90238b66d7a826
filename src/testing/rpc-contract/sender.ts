import { describe, expect, it } from 'vitest'
import { encodeDeadLetter } from '../../rpc/dead-letter.ts'
import { encodeEnvelope } from '../../rpc/envelope.ts'
import { encodeHeaders } from '../../rpc/headers.ts'
import type { Sender } from '../../rpc/sender.ts'
import type { Target } from '../../rpc/target.ts'
import { ALL, CTX, HOST, WORK } from './methods.ts'
import { clock, ids, eventually, type Trial } from './trial.ts'

/** Who sent a message: what the broker says, and not what the message does. */
export function describeSender(trial: Trial): void {
  const { makeServer, makeClient, open, buried } = trial

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
        trial.lines.filter((line) => line.includes("Dropped a dead letter of another's queue"))
      await eventually(() => dropped().length).toBe(3)
      expect(dropped()[0]).toContain('sender=compute.node-1.example.com target=compute.node-2')
    })
  })
}
