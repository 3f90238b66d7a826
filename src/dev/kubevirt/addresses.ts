import type { VirtualMachineInstance } from '../../virt/kubevirt/resources.ts'

const POOL = 2 ** 16

/** Hands out Pod addresses, 10.244.0.0/16, and takes them back. */
export class Addresses {
  readonly #byUid = new Map<string, string>()
  readonly #taken = new Set<string>()
  #last = 0

  /** Notes the address that a guest has, from before we came for instance, and takes back one it had earlier. */
  keep(vmi: VirtualMachineInstance): void {
    const { uid } = vmi.metadata
    const address = vmi.status?.interfaces?.[0]?.ipAddress
    if (uid === undefined || address === undefined) return
    const earlier = this.#byUid.get(uid)
    if (earlier !== undefined) this.#taken.delete(earlier)
    this.#byUid.set(uid, address)
    this.#taken.add(address)
  }

  /** An address for a guest that is not made yet; `keep` ties it to the guest. */
  reserve(): string {
    for (let tries = 0; tries < POOL; tries++) {
      this.#last = (this.#last + 1) % POOL
      const address = `10.244.${this.#last >> 8}.${this.#last & 0xff}`
      if (this.#last === 0 || this.#taken.has(address)) continue
      this.#taken.add(address)
      return address
    }
    throw new Error('no address of 10.244.0.0/16 is free')
  }

  release(vmi: VirtualMachineInstance): void {
    const uid = vmi.metadata.uid ?? ''
    const address = this.#byUid.get(uid)
    if (address === undefined) return
    this.#byUid.delete(uid)
    this.#taken.delete(address)
  }
}
