import type { LifecycleEvent } from './driver.ts'

/** Those who want to hear of changes of power state. */
export class LifecycleListeners {
  readonly #listeners = new Set<(event: LifecycleEvent) => void>()

  /** The returned function ends it. */
  add(listener: (event: LifecycleEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  emit(event: LifecycleEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}
