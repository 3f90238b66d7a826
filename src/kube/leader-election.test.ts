import { beforeEach, expect, it } from 'vitest'
import { FakeClock } from '../testing/fake-clock.ts'
import { captureLog, type LogCapture } from '../testing/log-capture.ts'
import { MemoryKubeClient } from '../testing/memory-kube-client.ts'
import { unreachable } from './api-error.ts'
import { LeaderElector } from './leader-election.ts'
import { LEASE } from './lease.ts'

const REF = { namespace: 'ns', name: 'scheduler' }

/** A process that competes: its own connection to the shared server, which can fail alone. */
class Candidate {
  readonly elector: LeaderElector
  readonly changes: boolean[] = []
  readonly #stop = new AbortController()
  readonly running: Promise<void>
  /** The signal of the latest term. */
  signal: AbortSignal | undefined
  /** Holds the work back from ending when its signal is aborted. */
  lingerMs = 0

  constructor(identity: string, connection: MemoryKubeClient) {
    this.elector = new LeaderElector(
      { client: connection, clock, log: logs.log, random: () => 0 },
      { ...REF, identity, onChange: (isLeader) => this.changes.push(isLeader) },
    )
    this.running = this.elector.run(async (signal) => {
      this.signal = signal
      await clock.sleep(1e9, signal).catch(() => undefined)
      if (this.lingerMs > 0) await clock.sleep(this.lingerMs)
    }, this.#stop.signal)
  }

  stop(): void {
    this.#stop.abort()
  }
}

let clock: FakeClock
let logs: LogCapture
let server: MemoryKubeClient

beforeEach(() => {
  clock = new FakeClock()
  logs = captureLog()
  server = new MemoryKubeClient()
})

async function holder(): Promise<string | undefined> {
  return (await server.get(LEASE, REF)).spec?.holderIdentity
}

/** Two candidates, of which the first leads. */
async function elect(): Promise<{ a: Candidate; b: Candidate; wireA: MemoryKubeClient }> {
  const wireA = server.connect()
  const a = new Candidate('a', wireA)
  await clock.advance(0)
  const b = new Candidate('b', server.connect())
  await clock.advance(5_000)
  expect([a.elector.isLeader(), b.elector.isLeader()]).toEqual([true, false])
  return { a, b, wireA }
}

it('makes the lease, leads and renews it', async () => {
  const { a, b } = await elect()
  await clock.advance(120_000)
  expect([a.elector.isLeader(), b.elector.isLeader()]).toEqual([true, false])
  const lease = await server.get(LEASE, REF)
  expect(lease.spec).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 })
  expect(lease.spec?.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  expect(a.changes).toEqual([true])
  expect(logs.at('INFO')).toEqual([expect.stringContaining('Became the leader lease=scheduler identity=a')])
})

it('renews with one request', async () => {
  await elect()
  const before = server.requests.filter((request) => request.startsWith('replace')).length
  const reads = server.requests.filter((request) => request.startsWith('get')).length
  await clock.advance(20_000)
  const writes = server.requests.filter((request) => request.startsWith('replace')).length - before
  expect(writes).toBe(10)
  // The other candidate's.
  expect(server.requests.filter((request) => request.startsWith('get')).length - reads).toBe(10)
})

it('hands over at once on a clean stop, after the work has ended', async () => {
  const { a, b } = await elect()
  a.lingerMs = 30_000
  a.stop()
  await clock.advance(29_000)
  expect(a.elector.isLeader()).toBe(false)
  expect(a.signal?.aborted).toBe(true)
  // Still renewed, so that nobody begins before the work has ended.
  expect(b.elector.isLeader()).toBe(false)
  await clock.advance(1_000)
  await a.running
  await clock.advance(2_000)
  expect(b.elector.isLeader()).toBe(true)
  expect((await server.get(LEASE, REF)).spec?.leaseTransitions).toBe(1)
})

it('takes over when a leader is gone for the lease duration, not sooner', async () => {
  const { b, wireA } = await elect()
  wireA.failure = unreachable('GET', new Error('ECONNREFUSED'))
  await clock.advance(12_000)
  expect(b.elector.isLeader()).toBe(false)
  await clock.advance(6_000)
  expect(b.elector.isLeader()).toBe(true)
  expect(await holder()).toBe('b')
})

it.each([
  { name: 'refuses', fail: (wire: MemoryKubeClient) => (wire.failure = unreachable('GET', new Error('no'))) },
  { name: 'does not answer', fail: (wire: MemoryKubeClient) => (wire.isHanging = true) },
])('stops leading before another can begin when the server $name', async ({ fail }) => {
  const { a, b, wireA } = await elect()
  fail(wireA)
  while (!b.elector.isLeader()) {
    await clock.advance(100)
    expect(a.elector.isLeader() && b.elector.isLeader()).toBe(false)
    // Read from the lease, so that it also holds between the write and the news of it.
    if ((await holder()) === 'b') expect(a.signal?.aborted).toBe(true)
  }
  expect(a.changes).toEqual([true, false])
  expect(logs.at('INFO')).toContainEqual(
    expect.stringContaining('No longer the leader lease=scheduler identity=a'),
  )
})

it('goes on after an outage that is shorter than the renew deadline', async () => {
  const { a, b, wireA } = await elect()
  wireA.failure = unreachable('GET', new Error('ECONNREFUSED'))
  await clock.advance(6_000)
  wireA.failure = undefined
  await clock.advance(60_000)
  expect([a.elector.isLeader(), b.elector.isLeader()]).toEqual([true, false])
  expect(a.changes).toEqual([true])
  expect(logs.at('WARNING')).toHaveLength(1)
})

it('leads again after it lost the lease and the other one left', async () => {
  const { a, b, wireA } = await elect()
  wireA.isHanging = true
  await clock.advance(20_000)
  wireA.isHanging = false
  await clock.advance(5_000)
  expect([a.elector.isLeader(), b.elector.isLeader()]).toEqual([false, true])
  b.stop()
  await clock.advance(3_000)
  expect([a.elector.isLeader(), b.elector.isLeader()]).toEqual([true, false])
  expect(a.changes).toEqual([true, false, true])
})

it("stops at once when the lease is another one's or is deleted", async () => {
  const { a } = await elect()
  await server.delete(LEASE, REF)
  await clock.advance(2_000)
  expect(a.changes[1]).toBe(false)
  expect(a.signal?.aborted).toBe(true)
})

it('survives a foreign write to the lease that leaves the holder alone', async () => {
  const { a } = await elect()
  const lease = await server.get(LEASE, REF)
  await server.replace(LEASE, { ...lease, metadata: { ...lease.metadata, labels: { seen: 'yes' } } })
  await clock.advance(60_000)
  expect(a.elector.isLeader()).toBe(true)
  expect(a.changes).toEqual([true])
})

it('gives the lease up when the work ends or fails, and competes again', async () => {
  let terms = 0
  const stop = new AbortController()
  const elector = new LeaderElector(
    { client: server, clock, log: logs.log, random: () => 0 },
    { ...REF, identity: 'a' },
  )
  const running = elector.run(async () => {
    terms++
    if (terms === 1) throw new Error('bug')
  }, stop.signal)
  await clock.advance(0)
  expect(await holder()).toBe('')
  await clock.advance(2_000)
  expect(terms).toBe(2)
  stop.abort()
  await running
  expect(logs.at('ERROR')).toHaveLength(1)
  expect(clock.timers).toBe(0)
})

it('leaves no timer and a free lease behind', async () => {
  const { a, b } = await elect()
  a.stop()
  b.stop()
  await Promise.all([a.running, b.running])
  expect(await holder()).toBe('')
  expect(clock.timers).toBe(0)
})

it('never has two leaders, whatever breaks when', async () => {
  let seed = 42
  const random = (): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
    return seed / 2_147_483_648
  }
  const wires = [server.connect(), server.connect(), server.connect()]
  const candidates = wires.map((wire, index) => new Candidate(`c${index}`, wire))
  let terms = 0
  for (let step = 0; step < 400; step++) {
    for (const wire of wires) {
      if (random() < 0.02) wire.isHanging = !wire.isHanging
      if (random() < 0.02) wire.failure = wire.failure ? undefined : unreachable('GET', new Error('no'))
    }
    await clock.advance(500)
    const leaders = candidates.filter((candidate) => candidate.elector.isLeader())
    expect(leaders.length).toBeLessThanOrEqual(1)
    terms = candidates.reduce((sum, candidate) => sum + candidate.changes.length, 0)
  }
  expect(terms).toBeGreaterThan(4)
  for (const wire of wires) {
    wire.isHanging = false
    wire.failure = undefined
  }
  for (const candidate of candidates) candidate.stop()
  await clock.advance(1_000)
  await Promise.all(candidates.map(async (candidate) => candidate.running))
})
