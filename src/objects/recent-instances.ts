import type { Instance } from '../apis/v1alpha1/instance.ts'

/**
 * The instances that were read or written last, by uid. A conditional write may begin from one of them without
 * reading it anew: where it is behind, the write is refused, or its test is made again on what is there now.
 */
export class RecentInstances {
  readonly #limit: number
  readonly #byUid = new Map<string, Instance>()

  constructor(options: { readonly limit: number }) {
    this.#limit = options.limit
  }

  get(uid: string): Instance | undefined {
    return this.#byUid.get(uid)
  }

  /** Takes the place of what was held of it; what was put in longest ago goes when there are too many. */
  put(instance: Instance): void {
    const { uid = '' } = instance.metadata
    this.#byUid.delete(uid)
    this.#byUid.set(uid, instance)
    if (this.#byUid.size <= this.#limit) return
    const [oldest = ''] = this.#byUid.keys()
    this.#byUid.delete(oldest)
  }

  forget(uid: string): void {
    this.#byUid.delete(uid)
  }
}
