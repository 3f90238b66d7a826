import { createHash } from 'node:crypto'
import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { Logger } from '../common/log.ts'
import { isRetryable } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import { TOKEN_REVIEW, type TokenReviewStatus } from './token-review.ts'

export interface TokenReviewerOptions {
  readonly audience: string
  /** A review that takes longer is given up: the broker does not wait for ever. */
  readonly timeoutMs?: number
  /** How long a good answer is remembered. */
  readonly rememberMs?: number
}

/** The API server cannot be asked about a token now; the client may try again. */
export class TokenReviewUnavailable extends Error {}

const TIMEOUT_MS = 3000
const REMEMBER_MS = 60_000
const SAY_SLOW_EVERY_MS = 60_000

interface Remembered {
  readonly status: TokenReviewStatus
  readonly untilMs: number
}

/**
 * Asks the API server who shows a token.
 *
 * After the broker was away all agents come at once, and those whose review was too slow come again in
 * seconds. So a review under way is shared by all who show the token, it goes on when the first of them was
 * given up, and a good answer is remembered for a minute: each try finds more of them answered. That is short
 * beside how long somebody who was let in stays. A refusal is not remembered: it may be about to change, as when
 * a service account was just made.
 */
export class TokenReviewer {
  readonly #client: Pick<KubeClient, 'create'>
  readonly #clock: Clock
  readonly #log: Logger
  readonly #audience: string
  readonly #timeoutMs: number
  readonly #rememberMs: number
  readonly #asked = new Map<string, Promise<TokenReviewStatus>>()
  readonly #remembered = new Map<string, Remembered>()
  #isAway = false
  #saidSlowMs = Number.NEGATIVE_INFINITY

  constructor(
    deps: { readonly client: Pick<KubeClient, 'create'>; readonly clock: Clock; readonly log: Logger },
    options: TokenReviewerOptions,
  ) {
    this.#client = deps.client
    this.#clock = deps.clock
    this.#log = deps.log
    this.#audience = options.audience
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS
    this.#rememberMs = options.rememberMs ?? REMEMBER_MS
  }

  /** @throws TokenReviewUnavailable without an answer in time. */
  async review(token: string): Promise<TokenReviewStatus> {
    const key = createHash('sha256').update(token).digest('base64')
    const known = this.#remembered.get(key)
    if (known && known.untilMs > this.#clock.now()) return known.status
    const asked = this.#asked.get(key) ?? this.#ask(key, token)
    const { promise: late, resolve } = Promise.withResolvers<undefined>()
    const timer = this.#clock.after(this.#timeoutMs, () => resolve(undefined))
    try {
      const status = await Promise.race([asked, late])
      if (status) return status
    } catch (error) {
      throw new TokenReviewUnavailable(messageOf(error), { cause: error })
    } finally {
      timer.cancel()
    }
    const reason = `the API server did not answer within ${this.#timeoutMs} ms`
    this.#saySlow(reason)
    throw new TokenReviewUnavailable(reason)
  }

  #ask(key: string, token: string): Promise<TokenReviewStatus> {
    const asked = this.#create(key, token).finally(() => this.#asked.delete(key))
    this.#asked.set(key, asked)
    asked.catch((error: unknown) => this.#sayAway(error))
    return asked
  }

  async #create(key: string, token: string): Promise<TokenReviewStatus> {
    const { status = {} } = await this.#client.create(TOKEN_REVIEW, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      // It gets no name, as nothing is kept.
      metadata: { name: '' },
      spec: { token, audiences: [this.#audience] },
    })
    this.#sayBack()
    if (status.authenticated === true) this.#remember(key, status)
    return status
  }

  #remember(key: string, status: TokenReviewStatus): void {
    const nowMs = this.#clock.now()
    // In the order they were remembered, so the first that is still good ends it.
    for (const [old, { untilMs }] of this.#remembered) {
      if (untilMs > nowMs) break
      this.#remembered.delete(old)
    }
    this.#remembered.delete(key)
    this.#remembered.set(key, { status, untilMs: nowMs + this.#rememberMs })
  }

  #sayAway(error: unknown): void {
    if (this.#isAway) return
    this.#isAway = true
    const facts = { reason: messageOf(error) }
    if (isRetryable(error)) {
      this.#log.warn('Cannot ask the API server about tokens: no service can connect anew', facts)
    } else {
      this.#log.error('The API server refuses to review tokens: no service can connect anew', facts)
    }
  }

  #saySlow(reason: string): void {
    const nowMs = this.#clock.now()
    if (nowMs - this.#saidSlowMs < SAY_SLOW_EVERY_MS) return
    this.#saidSlowMs = nowMs
    this.#log.warn('The API server is too slow for who connects now', { reason })
  }

  #sayBack(): void {
    if (!this.#isAway) return
    this.#isAway = false
    this.#log.info('The API server answers about tokens again')
  }
}
