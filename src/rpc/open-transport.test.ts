import { expect, it } from 'vitest'
import { SystemClock } from '../common/clock.ts'
import { loggerTo } from '../common/log.ts'
import { MemoryTransport } from './memory-transport.ts'
import { NatsTransport } from './nats-transport.ts'
import { natsServersOf } from './nats-url.ts'
import { openTransport } from './open-transport.ts'

const deps = {
  log: loggerTo(() => undefined, { format: 'text', level: 'error' }),
  clock: new SystemClock(),
}

it.each([
  { url: 'memory://', want: MemoryTransport },
  { url: 'nats://127.0.0.1:4222', want: NatsTransport },
  { url: 'nats://nova:s3cr%40t@nats-0:4222,nats-1:4222', want: NatsTransport },
  { url: 'tls://nats.example.com', want: NatsTransport },
  { url: 'tls://nats-0:4222,tls://nats-1:4222', want: NatsTransport },
])('opens $url, without connecting', ({ url, want }) => {
  const transport = openTransport(url, deps, { sender: { service: 'api' } })

  expect(transport).toBeInstanceOf(want)
  expect(transport.status).toBe('disconnected')
})

it.each(['rabbit://localhost', 'localhost:4222', 'nats://', 'tls://nats-0,nats://nats-1', ''])(
  'refuses %j',
  (url) => {
    expect(() => openTransport(url, deps, { sender: { service: 'api' } })).toThrow('Not a messaging URL')
  },
)

it.each(['nats://nats-0:4222,nats-1:4222', 'nats://nats-0:4222,nats://nats-1:4222'])(
  'reads the servers of %s',
  (url) => {
    expect(natsServersOf(url)).toEqual({ servers: ['nats-0:4222', 'nats-1:4222'] })
  },
)
