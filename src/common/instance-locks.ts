/**
 * One piece of work at a time for each instance, in the order they came. Nova's lock named by the instance's
 * uuid. The state in Kubernetes is what makes work safe; this keeps an agent from racing itself.
 */
export class InstanceLocks {
  readonly #tails = new Map<string, Promise<void>>()

  async run<T>(uid: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(uid) ?? Promise.resolve()
    const released = Promise.withResolvers<void>()
    const tail = before.then(() => released.promise)
    this.#tails.set(uid, tail)
    await before
    try {
      return await work()
    } finally {
      released.resolve()
      if (this.#tails.get(uid) === tail) this.#tails.delete(uid)
    }
  }

  /** As `run`, unless something is under way or in line: then nothing is done. For work that comes again by itself. */
  async runIfFree(uid: string, work: () => Promise<void>): Promise<void> {
    if (!this.#tails.has(uid)) await this.run(uid, work)
  }
}
