import { describe, expect, it } from 'vitest'
import { settle } from '../testing/fake-clock.ts'
import { Concurrency } from './concurrency.ts'
import { InstanceLocks } from './instance-locks.ts'

/** Work that a test ends by hand, and which says when it began. */
class Job {
  hasBegun = false
  readonly #end = Promise.withResolvers<void>()

  readonly run = async (): Promise<void> => {
    this.hasBegun = true
    await this.#end.promise
  }

  end(): void {
    this.#end.resolve()
  }

  fail(error: Error): void {
    this.#end.reject(error)
  }
}

function makeJobs(count: number): Job[] {
  return Array.from({ length: count }, () => new Job())
}

const begun = (jobs: readonly Job[]): boolean[] => jobs.map((job) => job.hasBegun)

describe('the lock of an instance', () => {
  it('lets one piece of work run at a time, in the order they came', async () => {
    const locks = new InstanceLocks()
    const jobs = makeJobs(3)
    const all = Promise.all(jobs.map((job) => locks.run('a', job.run)))
    for (const [n, job] of jobs.entries()) {
      await settle()
      expect(begun(jobs)).toEqual(jobs.map((_, m) => m <= n))
      job.end()
    }
    await all
  })

  it('does not hold up another instance', async () => {
    const locks = new InstanceLocks()
    const [a, b] = [new Job(), new Job()]
    const all = Promise.all([locks.run('a', a.run), locks.run('b', b.run)])
    await settle()
    expect(begun([a, b])).toEqual([true, true])
    a.end()
    b.end()
    await all
  })

  it('is free again after work that failed, whose error its caller gets', async () => {
    const locks = new InstanceLocks()
    const failed = locks.run('a', () => Promise.reject(new Error('no')))
    const next = locks.run('a', async () => 'done')
    await expect(failed).rejects.toThrow('no')
    expect(await next).toBe('done')
  })

  it('is not waited for by work that comes again by itself', async () => {
    const locks = new InstanceLocks()
    const [first, second, other, again] = makeJobs(4)
    const running = [locks.run('a', first!.run), locks.run('a', second!.run)]

    await locks.runIfFree('a', other!.run)
    first!.end()
    await running[0]
    await locks.runIfFree('a', other!.run)
    second!.end()
    await running[1]
    void locks.runIfFree('a', again!.run)
    await settle()

    expect([other!.hasBegun, again!.hasBegun]).toEqual([false, true])
  })

  it('is handed on to whoever comes while it is being given up', async () => {
    const locks = new InstanceLocks()
    const order: number[] = []
    await Promise.all(
      Array.from({ length: 5 }, (_, n) =>
        locks.run('a', async () => {
          order.push(n)
          if (n === 0) void locks.run('a', async () => order.push(99))
        }),
      ),
    )
    await locks.run('a', async () => order.push(100))
    expect(order).toEqual([0, 1, 2, 3, 4, 99, 100])
  })
})

describe('a limit on work', () => {
  it('lets that many run, and the others in the order they came', async () => {
    const limit = new Concurrency(2)
    const jobs = makeJobs(4)
    const all = Promise.all(jobs.map((job) => limit.run(job.run)))
    await settle()
    expect(begun(jobs)).toEqual([true, true, false, false])
    jobs[1]?.end()
    await settle()
    expect(begun(jobs)).toEqual([true, true, true, false])
    jobs[0]?.end()
    jobs[2]?.end()
    await settle()
    expect(begun(jobs)).toEqual([true, true, true, true])
    jobs[3]?.end()
    await all
  })

  it('is not used up by work that fails', async () => {
    const limit = new Concurrency(1)
    await expect(limit.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await limit.run(async () => 'done')).toBe('done')
  })

  it('lets nobody slip in before those who wait', async () => {
    const limit = new Concurrency(1)
    const jobs = makeJobs(3)
    const first = limit.run(jobs[0]!.run)
    const second = limit.run(jobs[1]!.run)
    jobs[0]!.end()
    await first
    const third = limit.run(jobs[2]!.run)
    await settle()
    expect(begun(jobs)).toEqual([true, true, false])
    jobs[1]!.end()
    jobs[2]!.end()
    await Promise.all([second, third])
  })

  it('does not keep work that is given up while it waits, nor its place', async () => {
    const limit = new Concurrency(1)
    const jobs = makeJobs(3)
    const giveUp = new AbortController()
    const first = limit.run(jobs[0]!.run)
    const second = limit.run(jobs[1]!.run, giveUp.signal)
    const third = limit.run(jobs[2]!.run)
    const outcome = expect(second).rejects.toThrow('not wanted any more')
    giveUp.abort(new Error('not wanted any more'))
    await outcome
    jobs[0]!.end()
    await first
    await settle()
    expect(begun(jobs)).toEqual([true, false, true])
    jobs[2]!.end()
    await third
    expect(await limit.run(async () => 'done')).toBe('done')
  })

  it('does not take in work that was given up before', async () => {
    const limit = new Concurrency(1)
    const [first, late] = [new Job(), new Job()]
    const running = limit.run(first.run)
    const signal = AbortSignal.abort(new Error('not wanted any more'))
    await expect(limit.run(late.run, signal)).rejects.toThrow('not wanted any more')
    first.end()
    await running
    expect(late.hasBegun).toBe(false)
  })

  it('leaves work alone that is given up once it runs', async () => {
    const limit = new Concurrency(1)
    const jobs = makeJobs(2)
    const giveUp = new AbortController()
    const first = limit.run(jobs[0]!.run)
    const second = limit.run(jobs[1]!.run, giveUp.signal)
    jobs[0]!.end()
    await first
    giveUp.abort(new Error('not wanted any more'))
    jobs[1]!.end()
    await second
    expect(await limit.run(async () => 'done')).toBe('done')
  })

  it('of 0 is none, as in Nova', async () => {
    const limit = new Concurrency(0)
    const jobs = makeJobs(20)
    const all = Promise.all(jobs.map((job) => limit.run(job.run)))
    await settle()
    expect(begun(jobs)).toEqual(jobs.map(() => true))
    for (const job of jobs) job.end()
    await all
  })
})
