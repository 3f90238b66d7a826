import { beforeEach, describe, expect, it } from 'vitest'
import { ApiError, unreachable } from '../kube/api-error.ts'
import type { KubeObject, ResourceType } from '../kube/resource.ts'
import { FakeClock, settle } from '../testing/fake-clock.ts'
import { captureLog, type LogCapture } from '../testing/log-capture.ts'
import type { TokenReviewStatus } from './token-review.ts'
import { TokenReviewer, TokenReviewUnavailable } from './token-reviewer.ts'

const GOOD = { authenticated: true, user: { username: 'someone' } }
const BAD = { authenticated: false, error: 'expired' }

describe('a review of tokens', () => {
  let clock: FakeClock
  let log: LogCapture
  /** What the API server was asked for, and how it answers. */
  let asked: unknown[]
  let answer: () => Promise<TokenReviewStatus>
  let reviewer: TokenReviewer

  beforeEach(() => {
    clock = new FakeClock()
    log = captureLog()
    asked = []
    answer = async () => GOOD
    const client = {
      create: async <T extends KubeObject>(_type: ResourceType<T>, object: T): Promise<T> => {
        asked.push(object)
        return { ...object, status: await answer() }
      },
    }
    reviewer = new TokenReviewer({ client, clock, log: log.log }, { audience: 'the-broker' })
  })

  it('asks the API server, for the broker’s audience', async () => {
    expect(await reviewer.review('token-1')).toEqual(GOOD)
    expect(asked).toEqual([
      expect.objectContaining({ kind: 'TokenReview', spec: { token: 'token-1', audiences: ['the-broker'] } }),
    ])
  })

  it('remembers a good answer for a minute, of this token alone', async () => {
    await reviewer.review('token-1')
    await clock.advance(59_999)
    await reviewer.review('token-1')
    expect(asked).toHaveLength(1)
    await reviewer.review('token-2')
    expect(asked).toHaveLength(2)

    await clock.advance(1)
    await reviewer.review('token-1')
    expect(asked).toHaveLength(3)
  })

  it('does not remember a refusal', async () => {
    answer = async () => BAD
    expect(await reviewer.review('token-1')).toEqual(BAD)
    answer = async () => GOOD
    expect(await reviewer.review('token-1')).toEqual(GOOD)
  })

  it('is shared by all who show the token meanwhile', async () => {
    const { promise, resolve } = Promise.withResolvers<TokenReviewStatus>()
    answer = () => promise
    const both = Promise.all([reviewer.review('token-1'), reviewer.review('token-1')])
    await settle()
    resolve(GOOD)
    expect(await both).toEqual([GOOD, GOOD])
    expect(asked).toHaveLength(1)
  })

  it('that is too slow is given up, and its late answer serves the next try', async () => {
    const { promise, resolve } = Promise.withResolvers<TokenReviewStatus>()
    answer = () => promise
    const late = expect(reviewer.review('token-1')).rejects.toThrow(
      new TokenReviewUnavailable('the API server did not answer within 3000 ms'),
    )
    await clock.advance(3000)
    await late
    resolve(GOOD)
    await settle()

    expect(await reviewer.review('token-1')).toEqual(GOOD)
    expect(asked).toHaveLength(1)
    expect(clock.timers).toBe(0)
  })

  it('says once a minute that the API server is too slow', async () => {
    answer = () => new Promise(() => undefined)
    const slow = async (token: string): Promise<void> => {
      const refused = expect(reviewer.review(token)).rejects.toThrow(TokenReviewUnavailable)
      await clock.advance(3000)
      await refused
    }
    for (let i = 0; i < 22; i++) await slow(`token-${i}`)
    expect(log.at('WARNING')).toEqual([
      expect.stringContaining('The API server is too slow'),
      expect.stringContaining('The API server is too slow'),
    ])
  })

  it('says once that the API server is away, and once that it is back', async () => {
    answer = async () => {
      throw unreachable('POST /tokenreviews', new Error('refused'))
    }
    for (const token of ['token-1', 'token-2', 'token-1']) {
      await expect(reviewer.review(token)).rejects.toThrow(TokenReviewUnavailable)
    }
    answer = async () => GOOD
    await reviewer.review('token-1')
    await reviewer.review('token-2')

    expect(log.lines.map((line) => line.replace(/^.*?\[-\] /, ''))).toEqual([
      'Cannot ask the API server about tokens: no service can connect anew reason="POST /tokenreviews: refused"',
      'The API server answers about tokens again',
    ])
    expect(log.at('WARNING')).toHaveLength(1)
  })

  it('that nats-auth has no right to is somebody’s to mend', async () => {
    answer = async () => {
      throw new ApiError({ code: 403, reason: 'Forbidden', message: 'tokenreviews is forbidden' })
    }
    await expect(reviewer.review('token-1')).rejects.toThrow('tokenreviews is forbidden')
    expect(log.at('ERROR')).toEqual([expect.stringContaining('refuses to review tokens')])
  })
})
