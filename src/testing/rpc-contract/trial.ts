import { afterEach, beforeEach, expect } from 'vitest'
import { SystemClock } from '../../common/clock.ts'
import { RandomIds } from '../../common/ids.ts'
import { type Logger, loggerTo } from '../../common/log.ts'
import { RpcClient, type RpcClientOptions } from '../../rpc/client.ts'
import type { DeadLetter } from '../../rpc/dead-letter.ts'
import { DeadLetterConsumer } from '../../rpc/dead-letter-consumer.ts'
import type { Sender } from '../../rpc/sender.ts'
import { RpcServer, type RpcServerOptions } from '../../rpc/server.ts'
import type { Transport } from '../../rpc/transport.ts'
import { senderServing } from '../memory-rpc.ts'
import { ALL } from './methods.ts'
import type { LogLines, RpcWorld } from './world.ts'

export const clock = new SystemClock()
export const ids = new RandomIds()

export const eventually = (check: () => unknown) => expect.poll(check, { timeout: 20_000, interval: 5 })

/** What each test of the contract stands on: a world of its own, and what is made in it, which ends with the test. */
export interface Trial {
  readonly world: RpcWorld
  readonly lines: LogLines
  readonly log: () => Logger
  /** Without a sender it is nova-api that sends. */
  readonly open: (sender?: Sender) => Transport
  readonly makeClient: (options?: RpcClientOptions, transport?: Transport) => RpcClient
  /** Of ALL, unless the options name another target. */
  readonly makeServer: (options?: Partial<RpcServerOptions>, transport?: Transport) => RpcServer
  /** The dead letters, as they arrive. */
  readonly buried: () => Promise<DeadLetter[]>
  /** Does this when the test is over, the last one first. */
  readonly leaveWith: (step: () => Promise<void>) => void
}

/** Makes a new world before each test around the call, and closes it after. */
export function useTrial(makeWorld: () => Promise<RpcWorld>): Trial {
  let world: RpcWorld
  let lines: LogLines
  let leave: (() => Promise<void>)[]

  beforeEach(async () => {
    world = await makeWorld()
    lines = []
    leave = []
  })
  afterEach(async () => {
    for (const step of leave.reverse()) await step()
    await world.close()
  })

  const leaveWith = (step: () => Promise<void>): void => void leave.push(step)
  const log = () => loggerTo((line) => lines.push(line), { format: 'text', level: 'debug' })
  const open = (sender: Sender = { service: 'api' }): Transport => {
    const transport = world.open(sender, lines)
    leaveWith(() => transport.close())
    return transport
  }

  return {
    get world() {
      return world
    },
    get lines() {
      return lines
    },
    log,
    open,
    leaveWith,
    makeClient: (options = {}, transport = open()) =>
      new RpcClient({ transport, clock, ids, log: log() }, options),
    makeServer: (options = {}, transport = open(senderServing(options.target ?? ALL))) => {
      const server = new RpcServer(
        { transport, clock, log: log() },
        { target: ALL, version: '1.2', retryDelayMs: () => 10, drainTimeoutMs: 10_000, ...options },
      )
      leaveWith(() => server.stop())
      return server
    },
    buried: async () => {
      const letters: DeadLetter[] = []
      const consumer = new DeadLetterConsumer({ transport: open({ service: 'conductor' }), log: log() })
      leaveWith(() => consumer.stop())
      await consumer.start(async (letter) => void letters.push(letter))
      return letters
    },
  }
}
