import type { Clock } from '../../common/clock.ts'
import { isConflict, isRetryable } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { GuestRef } from '../driver.ts'
import { retrying } from './retrying.ts'

/**
 * What KubeVirt does with a guest that runs: virt-api passes each on to the virt-handler of its node. They are no
 * objects, so nothing of them stays: whoever asked watches the guest.
 */
export class GuestSubresources {
  readonly #client: KubeClient
  readonly #clock: Clock

  constructor(deps: { readonly client: KubeClient; readonly clock: Clock }) {
    this.#client = deps.client
    this.#clock = deps.clock
  }

  /** That it is paused already is no error. */
  async pause(guest: GuestRef): Promise<void> {
    await this.#put(guest, 'pause').catch(unless('VMI is already paused'))
  }

  /** That it is not paused is no error. */
  async unpause(guest: GuestRef): Promise<void> {
    await this.#put(guest, 'unpause').catch(unless('VMI is not paused'))
  }

  /** Asked once: a virt-handler that failed may have asked the guest all the same. */
  async softReboot(guest: GuestRef): Promise<void> {
    await this.#put(guest, 'softreboot', (error) => isRetryable(error) && error.code !== 500)
  }

  async #put(guest: GuestRef, action: string, isWorthARetry?: (error: unknown) => boolean): Promise<void> {
    const { namespace, name } = guest
    const machine = `namespaces/${namespace}/virtualmachineinstances/${name}`
    const path = `/apis/subresources.kubevirt.io/v1/${machine}/${action}`
    await retrying(this.#clock, () => this.#client.request('PUT', path, '{}'), isWorthARetry)
  }
}

/** To be used as `catch`: KubeVirt has the same code for all that it does not do now. */
function unless(sentence: string): (error: unknown) => void {
  return (error) => {
    if (!isConflict(error) || !error.message.includes(sentence)) throw error
  }
}
