import { expect, it } from 'vitest'
import { FakeClock, settle } from '../testing/fake-clock.ts'
import { captureLog } from '../testing/log-capture.ts'
import { ApiError } from './api-error.ts'
import { Controller, type ControllerOptions, DONE, type Result } from './controller.ts'

function makeController(reconcile: ControllerOptions['reconcile'], concurrency = 2) {
  const clock = new FakeClock()
  const logs = captureLog()
  const controller = new Controller(
    { clock, log: logs.log, random: () => 1 },
    { name: 'test', concurrency, reconcile, backoff: { baseMs: 100, capMs: 1_000 } },
  )
  return { clock, logs, controller }
}

it('works on one key at a time and on so many keys in all', async () => {
  const running = new Set<string>()
  let most = 0
  let runs = 0
  const { controller } = makeController(async (key) => {
    expect(running.has(key)).toBe(false)
    running.add(key)
    most = Math.max(most, running.size)
    runs++
    await settle()
    running.delete(key)
    return DONE
  }, 3)
  for (const key of ['a', 'b', 'c', 'd', 'e', 'a']) controller.enqueue(key)
  controller.start()
  await settle()
  for (const key of ['a', 'b', 'c']) controller.enqueue(key)
  await controllerIdle(controller)
  expect(most).toBe(3)
  expect(runs).toBeGreaterThanOrEqual(5)
})

async function controllerIdle(controller: Controller): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await settle()
  expect(controller.backlog).toBe(0)
}

it('works again on a key that was added while it was worked on', async () => {
  const gates = [Promise.withResolvers<Result>(), Promise.withResolvers<Result>()]
  let runs = 0
  const { controller } = makeController(async () => (await gates[runs++]?.promise) ?? DONE)
  controller.start()
  controller.enqueue('a')
  await settle()
  controller.enqueue('a')
  await settle()
  expect(runs).toBe(1)
  gates[0]?.resolve(DONE)
  await settle()
  expect(runs).toBe(2)
  gates[1]?.resolve(DONE)
  await settle()
  expect(runs).toBe(2)
})

it('looks again after the time that was asked for, and only then', async () => {
  const results: Result[] = [
    { kind: 'after', ms: 500 },
    { kind: 'waiting', on: 'a host' },
  ]
  let runs = 0
  const { controller, clock } = makeController(async () => results[runs++] ?? DONE)
  controller.start()
  controller.enqueue('a')
  await clock.advance(499)
  expect(runs).toBe(1)
  await clock.advance(1)
  expect(runs).toBe(2)
  await clock.advance(1_000_000)
  expect(runs).toBe(2)
})

it('retries failures with growing waits and warns once for each message', async () => {
  const errors = ['down', 'down', 'down', 'worse']
  const times: number[] = []
  const { controller, clock, logs } = makeController(async () => {
    times.push(clock.now() - start)
    const message = errors.shift()
    if (message !== undefined) throw new Error(message)
    return DONE
  })
  const start = clock.now()
  controller.start()
  controller.enqueue('a')
  await clock.advance(10_000)
  expect(times).toEqual([0, 100, 300, 700, 1_500])
  expect(logs.at('WARNING')).toHaveLength(2)
  expect(logs.at('WARNING')[0]).toContain('controller=test key=a error=down')
})

it('stays quiet when somebody else wrote first', async () => {
  let runs = 0
  const { controller, clock, logs } = makeController(async () => {
    if (runs++ === 0) throw new ApiError({ code: 409, reason: 'Conflict', message: 'modified' })
    return DONE
  })
  controller.start()
  controller.enqueue('a')
  await clock.advance(1_000)
  expect(runs).toBe(2)
  expect(logs.at('WARNING')).toEqual([])
})

it('aborts and awaits what runs when it stops, and starts nothing more', async () => {
  const worked: string[] = []
  let isDone = false
  const { controller, clock, logs } = makeController(async (key, signal) => {
    worked.push(key)
    await clock.sleep(60_000, signal).finally(() => {
      isDone = true
    })
    return DONE
  }, 1)
  controller.start()
  controller.enqueue('a')
  controller.enqueue('b')
  await settle()
  await controller.stop()
  expect(isDone).toBe(true)
  controller.enqueue('c')
  await clock.advance(100_000)
  expect(worked).toEqual(['a'])
  expect(logs.at('WARNING')).toEqual([])
})
