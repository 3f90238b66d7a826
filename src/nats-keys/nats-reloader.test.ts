import { beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../testing/fake-clock.ts'
import { captureLog, type LogCapture } from '../testing/log-capture.ts'
import { NatsReloader } from './nats-reloader.ts'

const INTERVAL_MS = 30_000

describe('what has NATS read its certificates anew', () => {
  let clock: FakeClock
  let log: LogCapture
  let files: { content: string; changedMs: number }
  let loadedMs: number | Error
  let reloadFails: Error | undefined
  /** What the files held whenever the server read them anew. */
  let reloads: string[]

  beforeEach(() => {
    clock = new FakeClock()
    log = captureLog()
    files = { content: 'first', changedMs: clock.now() - 60_000 }
    loadedMs = clock.now() - 1000
    reloadFails = undefined
    reloads = []
  })

  const write = (content: string): void => {
    files = { content, changedMs: clock.now() }
  }
  const start = async (): Promise<{ readonly stop: () => Promise<void> }> => {
    const stopping = new AbortController()
    const reloader = new NatsReloader(
      {
        files: { read: async () => files },
        server: {
          loadedMs: async () => {
            if (loadedMs instanceof Error) throw loadedMs
            return loadedMs
          },
          reload: async () => {
            if (reloadFails) throw reloadFails
            reloads.push(files.content)
          },
        },
        clock,
        log: log.log,
      },
      { intervalMs: INTERVAL_MS },
    )
    const running = reloader.run(stopping.signal)
    await clock.advance(0)
    const stop = async (): Promise<void> => {
      stopping.abort()
      await running
    }
    return { stop }
  }

  it('does it once for each change, and for nothing else', async () => {
    const { stop } = await start()
    await clock.advance(10 * INTERVAL_MS)
    expect(reloads).toEqual([])

    write('second')
    await clock.advance(10 * INTERVAL_MS)
    write('third')
    await clock.advance(INTERVAL_MS)

    expect(reloads).toEqual(['second', 'third'])
    expect(log.at('INFO')).toHaveLength(2)
    await stop()
    expect(clock.timers).toBe(0)
  })

  it('sees what changed while nobody looked', async () => {
    await (await start()).stop()
    await clock.advance(3600_000)
    write('second')
    await clock.advance(3600_000)

    const { stop } = await start()
    await clock.advance(INTERVAL_MS)

    expect(reloads).toEqual(['second'])
    await stop()
  })

  it('leaves a server alone that started with what is there', async () => {
    write('second')
    await clock.advance(1)
    loadedMs = clock.now()
    const { stop } = await start()
    await clock.advance(INTERVAL_MS)
    expect(reloads).toEqual([])
    await stop()
  })

  it('waits for a server that is not there yet, and says so once', async () => {
    loadedMs = new Error('NATS does not answer')
    const { stop } = await start()
    await clock.advance(5 * INTERVAL_MS)
    write('second')
    loadedMs = clock.now() - 1
    await clock.advance(INTERVAL_MS)

    expect(reloads).toEqual(['second'])
    expect(log.at('WARNING')).toEqual([expect.stringContaining('NATS does not answer')])
    await stop()
  })

  it('tries again when the server could not be told', async () => {
    const { stop } = await start()
    reloadFails = new Error('kill ESRCH')
    write('second')
    await clock.advance(3 * INTERVAL_MS)
    expect(reloads).toEqual([])

    reloadFails = undefined
    await clock.advance(INTERVAL_MS)
    expect(reloads).toEqual(['second'])
    expect(log.at('WARNING')).toEqual([expect.stringContaining('kill ESRCH')])
    await stop()
  })
})
