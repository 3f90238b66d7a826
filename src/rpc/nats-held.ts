import type { Settlement } from './transport.ts'

/** A message in a handler, or done and not yet acknowledged because the broker is away. */
export interface Held {
  readonly key: string
  /** Where its ack goes. Changes when the broker delivers it again. */
  replyTo: string
  /** What to tell the broker, once the handler is through. */
  settlement?: Settlement
  /** Resolves when the broker has been told, or never will be. */
  readonly released: Promise<void>
  release(): void
}

/** So many of the last messages done are remembered. oslo.messaging remembers 16. */
const REMEMBERED = 1000

/**
 * What one consumer works on, by message id. A broker that was away, or crashed before it had written an ack
 * down, delivers again what is still in a handler here or was done just now: neither is run a second time.
 *
 * By id and not by sequence number: a stream that lost its end in a crash counts it out anew.
 */
export class HeldMessages {
  readonly #held = new Map<string, Held>()
  readonly #done = new Set<string>()

  get size(): number {
    return this.#held.size
  }

  [Symbol.iterator](): IterableIterator<Held> {
    return this.#held.values()
  }

  /** Takes the message in, or says why it need not be run. */
  take(key: string, replyTo: string): Held | 'held' | 'done' {
    if (this.#done.has(key)) return 'done'
    const known = this.#held.get(key)
    if (known) {
      known.replyTo = replyTo
      return 'held'
    }
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const held: Held = { key, replyTo, released, release }
    this.#held.set(key, held)
    return held
  }

  /** Whether the message is still the one that was taken, and not forgotten by `clear`. */
  has(held: Held): boolean {
    return this.#held.get(held.key) === held
  }

  /** The broker has been told. */
  release(held: Held): void {
    this.#held.delete(held.key)
    if (held.settlement?.kind === 'ack') this.#remember(held.key)
    held.release()
  }

  /** Forgets everything: none of it means anything to the broker any more. */
  clear(): void {
    const forgotten = [...this.#held.values()]
    this.#held.clear()
    this.#done.clear()
    for (const held of forgotten) held.release()
  }

  #remember(key: string): void {
    this.#done.add(key)
    if (this.#done.size <= REMEMBERED) return
    for (const oldest of this.#done) {
      this.#done.delete(oldest)
      return
    }
  }
}
