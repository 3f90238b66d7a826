import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'

const SCRIPT = `
  const { untilSignalled } = await import(${JSON.stringify(new URL('signals.ts', import.meta.url).href)})
  const signalled = untilSignalled()
  setInterval(() => undefined, 1000)
  process.send('waiting')
  process.send(await signalled.signal)
`

describe('a process that is told to stop', () => {
  it.each([
    { second: 'SIGTERM', code: 143 },
    { second: 'SIGINT', code: 130 },
  ] as const)(
    'and told again by $second while it does so, ends at once with $code',
    async ({ second, code }) => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      const ended = once(child, 'exit')
      const heard = async (): Promise<unknown> => (await once(child, 'message'))[0]
      expect(await heard()).toBe('waiting')

      child.kill('SIGTERM')
      expect(await heard()).toBe('SIGTERM')
      child.kill(second)

      expect(await ended).toEqual([code, null])
    },
  )
})
