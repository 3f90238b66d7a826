import type { GuestRef, LifecycleEvent, PowerState } from '../driver.ts'

/**
 * Makes events of power states: KubeVirt writes a guest's objects six to nine times on a launch, and most of
 * these change nothing that Nova knows.
 */
export class Lifecycle {
  readonly #emit: (event: LifecycleEvent) => void
  /** What was told last, by uid. Nobody wants to hear of what was so when we came. */
  readonly #told = new Map<string, PowerState>()

  constructor(emit: (event: LifecycleEvent) => void) {
    this.#emit = emit
  }

  /** The state a guest was found in. */
  found(guest: GuestRef, state: PowerState): void {
    this.#told.set(guest.uid, state)
  }

  /** The guest's objects changed. NOSTATE is a state on the way to another: nothing is told of it. */
  changed(guest: GuestRef, state: PowerState): void {
    const told = this.#told.get(guest.uid)
    // One that was never seen to run is not off: it is not started yet.
    const isNews = state !== 'NOSTATE' && state !== told && !(told === undefined && state === 'SHUTDOWN')
    if (isNews) this.#tell(guest, state)
  }

  /** Nothing is left of the guest. */
  gone(guest: GuestRef): void {
    if (!this.#told.has(guest.uid)) return
    this.#tell(guest, 'NOSTATE')
    this.#told.delete(guest.uid)
  }

  #tell({ namespace, name, uid }: GuestRef, powerState: PowerState): void {
    this.#told.set(uid, powerState)
    this.#emit({ namespace, name, uid, powerState })
  }
}
