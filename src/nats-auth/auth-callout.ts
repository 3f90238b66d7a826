import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { Logger } from '../common/log.ts'
import { permissionsOf } from '../rpc/nats-permissions.ts'
import { describeSender } from '../rpc/sender.ts'
import { answerClaims, userClaims } from './answer.ts'
import { CurveBox } from './curve-box.ts'
import { identityOf, type ServiceAccounts } from './identity.ts'
import { encodeJwt } from './jwt.ts'
import type { Signer } from './nkey.ts'
import { type AuthorizationRequest, readRequest } from './request.ts'
import { sessionEnd, tokenExpiry } from './session.ts'
import { type TokenReviewer, TokenReviewUnavailable } from './token-reviewer.ts'

export interface AuthCalloutOptions {
  /** Seed of the curve key that brokers encrypt their requests to. */
  readonly xkeySeed: string
  readonly audience: string
  readonly serviceAccounts: ServiceAccounts
  /** The account that services are let into. */
  readonly account: string
  readonly maxSessionMs: number
}

const UTF8 = new TextDecoder()

/** Why a client is not let in. Goes to the broker's log, not to the client. */
class Refused extends Error {
  readonly user: string | undefined

  constructor(reason: string, user?: string) {
    super(reason)
    this.user = user
  }
}

/** Answers a broker that asks whether a client may come in, and what it may do. */
export class AuthCallout {
  readonly #reviewer: Pick<TokenReviewer, 'review'>
  readonly #signer: Signer
  readonly #clock: Clock
  readonly #log: Logger
  readonly #options: AuthCalloutOptions
  readonly #box: CurveBox

  constructor(
    deps: {
      readonly reviewer: Pick<TokenReviewer, 'review'>
      readonly signer: Signer
      readonly clock: Clock
      readonly log: Logger
    },
    options: AuthCalloutOptions,
  ) {
    this.#reviewer = deps.reviewer
    this.#signer = deps.signer
    this.#clock = deps.clock
    this.#log = deps.log
    this.#options = options
    this.#box = new CurveBox(options.xkeySeed)
  }

  /**
   * The answer to an encrypted request, encrypted for the broker whose key is `brokerXkey`. Undefined for what
   * no broker sent, which gets none.
   */
  async answer(sealed: Uint8Array, brokerXkey: string): Promise<Uint8Array | undefined> {
    const request = this.#open(sealed, brokerXkey)
    if (!request) return undefined
    const answer = await this.#decide(request)
    const jwt = encodeJwt(answerClaims(request, answer), this.#signer, this.#clock.now())
    return this.#box.seal(new TextEncoder().encode(jwt), brokerXkey)
  }

  #open(sealed: Uint8Array, brokerXkey: string): AuthorizationRequest | undefined {
    try {
      const opened = this.#box.open(sealed, brokerXkey)
      if (!opened) throw new Refused('it was not encrypted for us')
      return readRequest(UTF8.decode(opened))
    } catch (error) {
      this.#log.warn('Could not read an authorization request', { reason: messageOf(error) })
      return undefined
    }
  }

  async #decide(request: AuthorizationRequest): Promise<{ jwt: string } | { error: string }> {
    try {
      return { jwt: await this.#admit(request) }
    } catch (error) {
      return { error: this.#explain(request, error) }
    }
  }

  #explain(request: AuthorizationRequest, error: unknown): string {
    const { client, from, connection } = request
    const reason = messageOf(error)
    if (error instanceof Refused) {
      this.#log.warn('Refused a client', { client, from, connection, user: error.user, reason })
      return reason
    }
    if (error instanceof TokenReviewUnavailable) {
      // That goes for everybody, and the reviewer has said so.
      this.#log.debug('Could not look at a client', { client, from, connection, reason })
      return reason
    }
    this.#log.error('Failed to look at a client', { client, from, connection, reason })
    return 'nats-auth failed; its log says why'
  }

  /** The JWT of the client; throws why it gets none. */
  async #admit({ token, ...request }: AuthorizationRequest): Promise<string> {
    if (token === undefined) throw new Refused('it shows no token')
    const identity = identityOf(await this.#reviewer.review(token), this.#options)
    if (identity.kind === 'unknown') throw new Refused(identity.reason, identity.user)
    const { sender, user } = identity
    const tokenExpiresS = tokenExpiry(token)
    if (tokenExpiresS === undefined) throw new Refused('the token never expires', user)

    const nowMs = this.#clock.now()
    const { account, maxSessionMs } = this.#options
    const expiresS = sessionEnd({ tokenExpiresS, nowMs, maxSessionMs, userNkey: request.userNkey })
    const claims = userClaims({
      userNkey: request.userNkey,
      account,
      permissions: permissionsOf(sender),
      expiresS,
    })
    this.#log.info('Let a client in', {
      sender: describeSender(sender),
      user,
      from: request.from,
      connection: request.connection,
      until: new Date(expiresS * 1000).toISOString(),
    })
    return encodeJwt(claims, this.#signer, nowMs)
  }
}
