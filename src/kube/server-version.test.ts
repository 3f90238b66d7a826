import { describe, expect, it } from 'vitest'
import { serverVersion, tooOld } from './server-version.ts'

const answering = (minor: string) => ({
  getRaw: async () => JSON.stringify({ major: '1', minor, gitVersion: `v1.${minor}.4`, platform: 'linux' }),
})

describe('the version of an API server', () => {
  it.each([
    { minor: '30', old: true },
    { minor: '31', old: false },
    { minor: '31+', old: false },
    { minor: '36', old: false },
  ])('1.$minor is too old: $old', async ({ minor, old }) => {
    const version = await serverVersion(answering(minor))
    const why = `v1.${minor}.4 is older than v1.31, which Kilonova's definitions and policies need`
    expect(tooOld(version)).toBe(old ? why : undefined)
  })

  it('is not told by an answer of another kind', async () => {
    await expect(serverVersion({ getRaw: async () => '{}' })).rejects.toThrow()
  })
})
