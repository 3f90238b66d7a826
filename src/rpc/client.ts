import type { Clock } from '../common/clock.ts'
import type { RequestContext } from '../common/context.ts'
import type { IdGenerator } from '../common/ids.ts'
import type { Logger } from '../common/log.ts'
import { decodeResult, encodeEnvelope, parseJson } from './envelope.ts'
import { ERROR_RECORD, ERRORS, type ErrorRegistry, fromRecord } from './error-wire.ts'
import { InvalidMessage, MessageUndeliverable, MessagingTimeout } from './errors.ts'
import { encodeHeaders, FAILURE } from './headers.ts'
import type { RpcMethod } from './method.ts'
import { describeTarget, type Target } from './target.ts'
import type { Message, Transport } from './transport.ts'

export interface RpcClientDeps {
  readonly transport: Transport
  readonly clock: Clock
  readonly ids: IdGenerator
  /** Without it nothing is said about what is sent. */
  readonly log?: Logger
}

export interface RpcClientOptions {
  /** How long a call waits for its answer when neither it nor its context says. Nova: rpc_response_timeout. */
  readonly callTimeoutMs?: number
  /** Which errors come back as their own class. */
  readonly errors?: ErrorRegistry
}

/** The sending end of an RPC API. */
export class RpcClient {
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #ids: IdGenerator
  readonly #log: Logger | undefined
  readonly #callTimeoutMs: number
  readonly #errors: ErrorRegistry

  constructor(deps: RpcClientDeps, options: RpcClientOptions = {}) {
    this.#transport = deps.transport
    this.#clock = deps.clock
    this.#ids = deps.ids
    this.#log = deps.log?.named('nova.rpc.client')
    this.#callTimeoutMs = options.callTimeoutMs ?? 60_000
    this.#errors = options.errors ?? ERRORS
  }

  /**
   * Hands work over: resolves when the broker has stored the message, which says nothing of the work. The
   * handler may get it more than once, and gets it later if its host is down.
   *
   * @throws MessageDeliveryFailure The broker did not take it in time (it still may have stored it).
   */
  async cast<A, R>(ctx: RequestContext, target: Target, method: RpcMethod<A, R>, args: A): Promise<void> {
    const message = this.#encode(unhurried(ctx), method, args)
    await this.#transport.publishCast(target, message, this.#ids.uuid())
    // A cast hands a user's operation on: whoever follows a request through the logs sees it leave here.
    this.#log?.with(ctx).info(`Cast ${method.name}`, { to: describeTarget(target) })
  }

  /**
   * Asks and waits for the answer. Errors of the handler are thrown here as their own class. The handler sees
   * the time we give up at as its context's deadline.
   *
   * @throws MessagingTimeout No answer in time; whether the work was done is not known.
   * @throws MessageUndeliverable Nobody serves the target.
   * @throws RemoteError The handler failed with an error that is none of ours.
   */
  // oxlint-disable-next-line max-params -- the four that every message has, and how long to wait
  async call<A, R>(
    ctx: RequestContext,
    target: Target,
    method: RpcMethod<A, R>,
    args: A,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<R> {
    const now = this.#clock.now()
    const wishedMs = options.timeoutMs ?? this.#callTimeoutMs
    const timeoutMs = ctx.deadlineMs === undefined ? wishedMs : Math.min(wishedMs, ctx.deadlineMs - now)
    const about = { ...target, method: method.name }
    if (timeoutMs <= 0) throw new MessagingTimeout({ ...about, timeoutMs: 0 })
    const message = this.#encode({ ...ctx, deadlineMs: now + timeoutMs }, method, args)
    this.#logSent(ctx, 'call', describeTarget(target), method.name)
    const outcome = await this.#transport.request(target, message, timeoutMs)
    switch (outcome.kind) {
      case 'timeout':
        throw new MessagingTimeout({ ...about, timeoutMs })
      case 'no-responders':
        throw new MessageUndeliverable(about)
      case 'message':
        return this.#decode(method, outcome.message)
    }
  }

  /** Tells every server of the topic that is there now. */
  async fanout<A, R>(ctx: RequestContext, topic: string, method: RpcMethod<A, R>, args: A): Promise<void> {
    await this.#transport.publishFanout(topic, this.#encode(unhurried(ctx), method, args))
    this.#logSent(ctx, 'fanout', topic, method.name)
  }

  #encode<A, R>(ctx: RequestContext, method: RpcMethod<A, R>, args: A): Message {
    return {
      headers: encodeHeaders(ctx, this.#clock.now()),
      body: encodeEnvelope({ method: method.name, version: method.version, args }),
    }
  }

  #decode<A, R>(method: RpcMethod<A, R>, reply: Message): R {
    if (!(FAILURE in reply.headers)) return decodeResult(method.result, method.name, reply.body)
    const record = ERROR_RECORD.safeParse(parseJson(reply.body))
    if (!record.success) throw new InvalidMessage({ reason: `failure of '${method.name}' is unreadable` })
    throw fromRecord(record.data, this.#errors)
  }

  #logSent(ctx: RequestContext, kind: string, target: string, method: string): void {
    this.#log?.with(ctx).debug('Sent message', { kind, target, method })
  }
}

/** Nobody waits for what is handed on: a deadline of who hands it on, from within a call, is not its own. */
function unhurried(ctx: RequestContext): RequestContext {
  const { deadlineMs, ...rest } = ctx
  return deadlineMs === undefined ? ctx : rest
}
