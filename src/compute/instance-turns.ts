import type { RequestContext } from '../common/context.ts'
import type { InstanceLocks } from '../common/instance-locks.ts'
import type { Logger } from '../common/log.ts'
import { GivenUp } from './instance-operations.ts'

/** A piece of an agent's work on an instance. */
export interface Piece {
  readonly uid: string
  /** The same for every message that asks for the same: the operation, its request, its attempt. */
  readonly name: string
}

/**
 * The work of an agent on each instance: one piece at a time, in the order they came, none of them twice. A delete
 * does not wait for what came before it.
 */
export class InstanceTurns {
  readonly #locks: InstanceLocks
  readonly #log: Logger
  /** By instance, what is under way or in line, with what ends it; a delete is not to be ended. */
  readonly #pieces = new Map<string, Map<string, AbortController | undefined>>()

  constructor(deps: { readonly locks: InstanceLocks; readonly log: Logger }) {
    this.#locks = deps.locks
    this.#log = deps.log
  }

  /**
   * Does a piece of work when its turn comes. A second message for what is under way or in line is dropped: it
   * would find nothing to do, and those that are sent again while a guest is slow would pile up. The first one is
   * delivered again if it fails. `signal` is aborted when the instance is being deleted.
   */
  async take(ctx: RequestContext, piece: Piece, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const interrupt = new AbortController()
    await this.#once(ctx, piece, interrupt, async () => {
      try {
        interrupt.signal.throwIfAborted()
        await work(interrupt.signal)
      } catch (error) {
        if (!(error instanceof GivenUp)) throw error
        this.#log
          .with(ctx, piece.uid)
          .info('Dropped the work: something else came first', { work: piece.name, reason: error.message })
      }
    })
  }

  /** As `take`, for a delete: all that came before it is given up, also what is still in line. */
  async takeNext(ctx: RequestContext, piece: Piece, work: () => Promise<void>): Promise<void> {
    const reason = new GivenUp('the instance is being deleted')
    for (const interrupt of this.#pieces.get(piece.uid)?.values() ?? []) interrupt?.abort(reason)
    await this.#once(ctx, piece, undefined, work)
  }

  // oxlint-disable-next-line max-params -- what is done, for whom, and what ends it
  async #once(
    ctx: RequestContext,
    { uid, name }: Piece,
    interrupt: AbortController | undefined,
    work: () => Promise<void>,
  ): Promise<void> {
    const pieces = this.#pieces.get(uid) ?? new Map<string, AbortController | undefined>()
    if (pieces.has(name)) {
      this.#log.with(ctx, uid).info('Dropped a message whose work is under way or in line', { work: name })
      return
    }
    this.#pieces.set(uid, pieces.set(name, interrupt))
    try {
      await this.#locks.run(uid, work)
    } finally {
      pieces.delete(name)
      if (pieces.size === 0) this.#pieces.delete(uid)
    }
  }
}
