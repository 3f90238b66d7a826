/**
 * The highest of numbers that come and go. Equal ones are counted and not kept apart, so that what all hosts have
 * in common costs nothing.
 */
export class ValueCounts {
  readonly #counts = new Map<number, number>()
  /** A heap of different values, the highest first; one that nobody has any more is dropped when it comes up. */
  readonly #heap: number[] = []

  add(value: number): void {
    const count = this.#counts.get(value)
    this.#counts.set(value, (count ?? 0) + 1)
    if (count === undefined) this.#push(value)
  }

  delete(value: number): void {
    const count = this.#counts.get(value)
    if (count !== undefined) this.#counts.set(value, count - 1)
  }

  /** −∞ where there is none. */
  get max(): number {
    for (;;) {
      const top = this.#heap[0]
      if (top === undefined) return Number.NEGATIVE_INFINITY
      if ((this.#counts.get(top) ?? 0) > 0) return top
      this.#counts.delete(top)
      this.#pop()
    }
  }

  #push(value: number): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(value)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] ?? 0
      if (above >= value) break
      heap[at] = above
      at = parent
    }
    heap[at] = value
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      if (left >= heap.length) break
      const right = left + 1
      const child = right < heap.length && (heap[right] ?? 0) > (heap[left] ?? 0) ? right : left
      const below = heap[child] ?? 0
      if (below <= last) break
      heap[at] = below
      at = child
    }
    heap[at] = last
  }
}
