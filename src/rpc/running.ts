/** The work that has begun and has not ended, so that whoever stops can wait for it. */
export class Running {
  readonly #work = new Set<Promise<void>>()

  /** `work` must not reject. */
  add(work: Promise<void>): void {
    const tracked = work.finally(() => this.#work.delete(tracked))
    this.#work.add(tracked)
  }

  async settled(): Promise<void> {
    await Promise.all(this.#work)
  }
}
