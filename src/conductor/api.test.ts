import { beforeEach, describe, expect, it } from 'vitest'
import { UnexpectedTaskStateError } from '../common/errors/instance-state.ts'
import { KubernetesUnavailable } from '../common/errors/unavailable.ts'
import { makeContext, makeInstance } from '../testing/builders.ts'
import { FakeClock, settle } from '../testing/fake-clock.ts'
import { captureLog, type LogCapture } from '../testing/log-capture.ts'
import { MemoryRpc } from '../testing/memory-rpc.ts'
import { refOfInstance } from '../objects/build-request.ts'
import { ConductorApi } from './api.ts'
import { CONDUCTOR_RPC_VERSION, ConductorRpcApi, instanceGet, instanceGetByHost } from './rpcapi.ts'

const ctx = makeContext()
const ref = refOfInstance(makeInstance())

let clock: FakeClock
let rpc: MemoryRpc
let logs: LogCapture
let stop: AbortController
let api: ConductorApi
/** What the conductor fails with, one after the other, before it answers. */
let failures: Error[]

beforeEach(() => {
  clock = new FakeClock()
  rpc = new MemoryRpc(clock)
  logs = captureLog()
  stop = new AbortController()
  failures = []
  api = new ConductorApi(
    { rpc: new ConductorRpcApi({ rpc: rpc.client() }), clock, log: logs.log, signal: stop.signal },
    { retryDelayMs: 100, maxRetryDelayMs: 1000 },
  )
})

async function startConductor(): Promise<void> {
  await rpc.serve({ target: { topic: 'conductor' }, version: CONDUCTOR_RPC_VERSION }, (server) => {
    server
      .handle(instanceGetByHost, async () => {
        const failure = failures.shift()
        if (failure) throw failure
        return []
      })
      .handle(instanceGet, async () => {
        throw new UnexpectedTaskStateError({ instance: ref.uid, expected: 'a', actual: 'b' })
      })
  })
}

const unavailable = (): Error => new KubernetesUnavailable({ reason: 'sorry' })

describe('a question to the conductor', () => {
  it('waits for one that is not there yet, and says so once', async () => {
    const asked = Promise.all([api.instanceGetByHost(ctx, 'node-1'), api.instanceGetByHost(ctx, 'node-2')])
    await clock.advance(5000)
    await startConductor()
    await clock.advance(1000)

    expect(await asked).toEqual([[], []])
    expect(logs.at('WARNING')).toHaveLength(1)
    expect(logs.at('WARNING')[0]).toContain('Waiting for the conductor')
    expect(logs.at('INFO')).toHaveLength(1)
    expect(logs.at('INFO')[0]).toContain('The conductor answers again')
  })

  it('is asked again after 100, 200, 400 … ms while the API server is in trouble', async () => {
    await startConductor()
    failures = [unavailable(), unavailable(), unavailable(), unavailable(), unavailable(), unavailable()]
    const asked = api.instanceGetByHost(ctx, 'node-1')
    const left: number[] = []
    for (const ms of [0, 100, 200, 400, 800, 1000]) {
      await clock.advance(ms)
      left.push(failures.length)
    }
    expect(left).toEqual([5, 4, 3, 2, 1, 0])
    await clock.advance(1000)
    expect(await asked).toEqual([])
  })

  it('has its refusal for an answer at once', async () => {
    await startConductor()
    await expect(api.instanceGet(ctx, ref)).rejects.toThrow(UnexpectedTaskStateError)
    expect(logs.lines).toEqual([])
  })

  it('does not wait for ever for what the conductor did not expect', async () => {
    await startConductor()
    failures = [new TypeError('x is not a function')]
    await expect(api.instanceGetByHost(ctx, 'node-1')).rejects.toThrow('Remote error: TypeError')
  })

  it('is given up when the agent stops', async () => {
    const asked = api.instanceGetByHost(ctx, 'node-1')
    const outcome = expect(asked).rejects.toThrow('the agent stops')
    await settle()
    stop.abort(new Error('the agent stops'))
    await outcome
    expect(clock.timers).toBe(0)
  })
})
