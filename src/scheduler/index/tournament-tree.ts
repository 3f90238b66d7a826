const NONE = Number.NEGATIVE_INFINITY
const FIRST_CAPACITY = 16

/**
 * Numbers at positions 0, 1, 2…, whose highest is always known: a change costs the logarithm of how many there
 * are. A position without a number holds −∞.
 */
export class TournamentTree {
  #capacity = FIRST_CAPACITY
  /** A complete binary tree: node n has children 2n and 2n + 1, and each holds the higher of them. */
  #nodes = new Float64Array(2 * FIRST_CAPACITY).fill(NONE)

  /** The highest number, or −∞. */
  get max(): number {
    return this.#nodes[1] ?? NONE
  }

  get(position: number): number {
    return position < this.#capacity ? (this.#nodes[this.#capacity + position] ?? NONE) : NONE
  }

  set(position: number, value: number): void {
    if (position >= this.#capacity) this.#grow(position)
    const nodes = this.#nodes
    let node = this.#capacity + position
    nodes[node] = value
    for (node >>= 1; node >= 1; node >>= 1) {
      const left = nodes[2 * node] ?? NONE
      const right = nodes[2 * node + 1] ?? NONE
      const max = left > right ? left : right
      if (nodes[node] === max) return
      nodes[node] = max
    }
  }

  /** Sets every position below `count` anew, at less cost than one by one. */
  fill(count: number, valueOf: (position: number) => number): void {
    if (count > this.#capacity) this.#grow(count - 1)
    for (let position = 0; position < count; position++) {
      this.#nodes[this.#capacity + position] = valueOf(position)
    }
    this.#playAll()
  }

  /**
   * Visits positions whose number is at least what `threshold` says, which may rise meanwhile; higher ones first,
   * roughly. `visit` ends it by answering false.
   */
  visitFrom(threshold: () => number, visit: (position: number) => boolean): void {
    const nodes = this.#nodes
    const stack = [1]
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      const value = nodes[node] ?? NONE
      if (value === NONE || value < threshold()) continue
      if (node >= this.#capacity) {
        if (!visit(node - this.#capacity)) return
        continue
      }
      const left = 2 * node
      const leftIsHigher = (nodes[left] ?? NONE) >= (nodes[left + 1] ?? NONE)
      stack.push(leftIsHigher ? left + 1 : left, leftIsHigher ? left : left + 1)
    }
  }

  #grow(position: number): void {
    const old = this.#nodes
    const before = this.#capacity
    while (this.#capacity <= position) this.#capacity *= 2
    this.#nodes = new Float64Array(2 * this.#capacity).fill(NONE)
    this.#nodes.set(old.subarray(before), this.#capacity)
    this.#playAll()
  }

  #playAll(): void {
    const nodes = this.#nodes
    for (let node = this.#capacity - 1; node >= 1; node--) {
      const left = nodes[2 * node] ?? NONE
      const right = nodes[2 * node + 1] ?? NONE
      nodes[node] = left > right ? left : right
    }
  }
}
