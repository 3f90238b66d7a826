import { describe, expect, it } from 'vitest'
import { NatsNames } from './nats-names.ts'
import { describeSender, type Sender, senderOfToken, senderToken } from './sender.ts'

describe('a sender', () => {
  it.each<{ sender: Sender; token: string; text: string }>([
    { sender: { service: 'api' }, token: 'api', text: 'api' },
    { sender: { service: 'scheduler' }, token: 'scheduler', text: 'scheduler' },
    { sender: { service: 'conductor' }, token: 'conductor', text: 'conductor' },
    {
      sender: { service: 'compute', host: 'node-1.example.com' },
      token: 'compute.node-1_example_com',
      text: 'compute.node-1.example.com',
    },
  ])('$text is read back from its token', ({ sender, token, text }) => {
    expect(senderToken(sender)).toBe(token)
    expect(senderOfToken(token)).toEqual(sender)
    expect(describeSender(sender)).toBe(text)
  })

  it.each([
    '',
    'nova',
    'compute',
    'compute.',
    'compute.>',
    'compute.a.b',
    'compute.A',
    'api.x',
    'compute._a',
  ])('is nobody by the token %j', (token) => {
    expect(senderOfToken(token)).toBeUndefined()
  })

  it('with a host that is no DNS name has no token', () => {
    expect(() => senderToken({ service: 'compute', host: 'a.>' })).toThrow(TypeError)
  })
})

describe('a subject', () => {
  const names = new NatsNames()
  const scheduler = { topic: 'scheduler' }
  const by = { topic: 'compute', host: 'by' }

  it.each([
    { subject: 'kilonova.cast.scheduler.by.api', filter: names.casts(scheduler), sender: { service: 'api' } },
    {
      subject: 'kilonova.cast.scheduler.by.compute.by',
      filter: names.casts(scheduler),
      sender: { service: 'compute', host: 'by' },
    },
    {
      subject: 'kilonova.cast.compute.by.by.scheduler',
      filter: names.casts(by),
      sender: { service: 'scheduler' },
    },
    {
      subject: 'kilonova.dead.compute.by.compute.node-1',
      filter: names.deadLetters,
      sender: { service: 'compute', host: 'node-1' },
    },
  ])('$subject tells its sender', ({ subject, filter, sender }) => {
    expect(names.senderOf(subject, filter)).toEqual(sender)
  })

  it.each([
    { what: 'names nobody', subject: 'kilonova.cast.scheduler.by.mallory', filter: names.casts(scheduler) },
    { what: 'has no sender', subject: 'kilonova.cast.scheduler', filter: names.casts(scheduler) },
    {
      what: 'is of another queue',
      subject: 'kilonova.cast.compute.node-1.by.api',
      filter: names.calls({ topic: 'conductor' }),
    },
    { what: 'has no sender', subject: 'kilonova.dead.compute', filter: names.deadLetters },
    { what: 'is an inbox', subject: '_INBOX.api.by.scheduler', filter: names.casts(scheduler) },
  ])('that $what tells none: $subject', ({ subject, filter }) => {
    expect(names.senderOf(subject, filter)).toBeUndefined()
  })
})
