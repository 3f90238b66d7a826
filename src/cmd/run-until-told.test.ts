import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'

const url = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)

/** A process that runs a service whose start and stop are such. */
function scriptOf(service: { readonly start: string; readonly stop: string }): string {
  return `
    const { runUntilTold } = await import(${url('run-until-told.ts')})
    const { SystemClock } = await import(${url('../common/clock.ts')})
    const { loggerTo } = await import(${url('../common/log.ts')})
    const busy = () => new Promise(() => setInterval(() => undefined, 1000))
    const service = { name: 'nova-test', checks: [], start: ${service.start}, stop: ${service.stop} }
    const log = loggerTo((line) => console.log(line), { format: 'text', level: 'info' })
    const deps = { service, transport: { roundTrip: async () => 1 }, clock: new SystemClock(), log }
    setTimeout(() => process.send('waiting'), 0)
    const alive = setInterval(() => undefined, 1000)
    await runUntilTold(deps, { healthPort: 0, stopTimeoutMs: 200 })
    clearInterval(alive)
    process.disconnect()
  `
}

describe('a service that is told to stop', () => {
  it.each([
    {
      name: 'ends with 0 when it has stopped',
      start: 'async () => undefined',
      stop: 'async () => undefined',
      code: 0,
      says: /^.* Stopping service=nova-test signal=SIGTERM\s*$/,
    },
    {
      name: 'ends with 1 when its start does not end with it',
      start: 'busy',
      stop: 'async () => undefined',
      code: 1,
      says: /Did not stop cleanly .*longer than 0.2 s/,
    },
    {
      name: 'ends with 1 when it takes too long, whatever still runs',
      start: 'async () => undefined',
      stop: 'busy',
      code: 1,
      says: /Did not stop cleanly .*longer than 0.2 s/,
    },
    {
      name: 'ends with 1 when it fails to',
      start: 'async () => undefined',
      stop: "async () => { throw new Error('no') }",
      code: 1,
      says: /Did not stop cleanly .*error=no/,
    },
  ])('$name', async ({ code, says, ...service }) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', scriptOf(service)], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    })
    let said = ''
    child.stdout?.on('data', (data: Buffer) => (said += data.toString()))
    const ended = once(child, 'close')
    await once(child, 'message')

    child.kill('SIGTERM')

    expect(await ended).toEqual([code, null])
    expect(said).toMatch(says)
  })
})
