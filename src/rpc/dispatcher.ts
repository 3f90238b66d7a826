import type { RequestContext } from '../common/context.ts'
import { checkArguments, decodeEnvelope, type Envelope } from './envelope.ts'
import { NoSuchMethod, UnsupportedVersion } from './errors.ts'
import { decodeContext } from './headers.ts'
import type { RpcMethod } from './method.ts'
import type { Sender } from './sender.ts'
import type { ReceivedMessage } from './transport.ts'
import { isCompatible } from './version.ts'

/** How a message came to its handler. */
export interface Delivery {
  /** 1, 2, ...: a cast may be delivered again; a call or a fanout is always the first. */
  readonly attempt: number
  /** Who sent it: the broker vouches for it. */
  readonly sender: Sender
  readonly kind: 'cast' | 'call' | 'fanout'
}

export type RpcHandler<A, R> = (ctx: RequestContext, args: A, delivery: Delivery) => Promise<R>

/** A message that passed every check; `run` does the work. */
export interface OpenedMessage {
  readonly ctx: RequestContext
  readonly method: string
  readonly delivery: Delivery
  run(): Promise<unknown>
}

/** Turns a message into its arguments, checked, bound to its handler. */
type Opener = (ctx: RequestContext, envelope: Envelope, delivery: Delivery) => OpenedMessage

/** Finds the handler of a message, and refuses what does not fit before any handler sees it. */
export class Dispatcher {
  readonly #topic: string
  readonly #served: string
  readonly #openers = new Map<string, Opener>()

  constructor(options: { readonly topic: string; readonly version: string }) {
    this.#topic = options.topic
    this.#served = options.version
  }

  /** @throws TypeError for a second handler, or a method newer than what is served: bugs in the wiring. */
  register<A, R>(method: RpcMethod<A, R>, handler: RpcHandler<A, R>): void {
    if (this.#openers.has(method.name)) throw new TypeError(`'${method.name}' has a handler already`)
    if (!isCompatible(this.#served, method.version)) {
      throw new TypeError(
        `'${method.name}' is of version ${method.version}, and ${this.#topic} serves ${this.#served}`,
      )
    }
    this.#openers.set(method.name, (ctx, envelope, delivery) => {
      const args = checkArguments(method.args, envelope)
      return { ctx, method: method.name, delivery, run: () => handler(ctx, args, delivery) }
    })
  }

  /**
   * Checks a message from outside to inside.
   *
   * @throws InvalidMessage, UnsupportedVersion, NoSuchMethod or InvalidArguments
   */
  open(message: ReceivedMessage, kind: Delivery['kind'], attempt: number): OpenedMessage {
    const envelope = decodeEnvelope(message.body)
    const ctx = decodeContext(message.headers)
    // The version first, as oslo.messaging does: a method we do not know may be one of a newer version.
    const { method, version } = envelope
    if (!isCompatible(this.#served, version)) {
      throw new UnsupportedVersion({ method, version, served: this.#served })
    }
    const opener = this.#openers.get(method)
    if (!opener) throw new NoSuchMethod({ topic: this.#topic, method })
    return opener(ctx, envelope, { attempt, kind, sender: message.sender })
  }
}
