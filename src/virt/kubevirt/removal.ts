import { InstancePowerOffFailure } from '../../common/errors/guest.ts'
import type { Logger } from '../../common/log.ts'
import type { GuestRef } from '../driver.ts'
import { waitUntil } from '../wait-until.ts'
import type { GuestRequests } from './guest-requests.ts'
import type { GuestWatch } from './guest-watch.ts'
import { isOnHost, isOwnedBy } from './ownership.ts'
import { powerStateOf } from './power-state.ts'
import type { CloudInit, VirtualMachine } from './resources.ts'
import { userDataSecretNameOf } from './to-virtual-machine.ts'

/** Removes one guest, with all that was made for it. */
export class Removal {
  readonly #requests: GuestRequests
  readonly #watch: GuestWatch
  readonly #host: string
  readonly #guest: GuestRef

  constructor(
    deps: { readonly requests: GuestRequests; readonly watch: GuestWatch },
    host: string,
    guest: GuestRef,
  ) {
    this.#requests = deps.requests
    this.#watch = deps.watch
    this.#host = host
    this.#guest = guest
  }

  /** As the server has it: what we know may be behind, or not yet tell of a create whose answer was lost. */
  async run(
    log: Logger,
    options: { readonly destroyTimeoutMs: number; readonly forceTimeoutMs: number },
  ): Promise<void> {
    const vm = await this.#requests.get(this.#guest)
    if (vm && isOwnedBy(vm, this.#guest) && !isOnHost(vm, this.#host)) {
      // Our watch may be behind, and still have it: its disks, its user data and what runs are its new host's.
      return log.debug('There was no VirtualMachine to delete: it is of another host by now')
    }
    const isOurs = vm !== undefined && isOwnedBy(vm, this.#guest)
    if (isOurs) this.#watch.observe(vm)
    // One that is paused does not hear that it shall shut down.
    const isDeaf = powerStateOf(this.#watch.find(this.#guest)) === 'PAUSED'
    if (isOurs) await this.#delete(vm)
    if (!(await this.isGone(isDeaf ? 0 : options.destroyTimeoutMs))) {
      log.info('The guest did not shut down for its removal: forcing it off')
      await this.#requests.forceStop(this.#guest)
      if (!(await this.isGone(options.forceTimeoutMs))) {
        const reason = 'its VirtualMachine does not go away'
        throw new InstancePowerOffFailure({ instance: this.#guest.uid, reason })
      }
    }
    if (isOurs) log.info('Deleted the VirtualMachine')
    else log.debug('There was no VirtualMachine to delete')
  }

  /** Whether nothing is left of the guest after at most so long. Only then is the host free of it. */
  async isGone(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const look = (): true | undefined => {
      const { vm, vmi } = this.#watch.find(this.#guest)
      return vm || vmi ? undefined : true
    }
    return (await waitUntil(this.#watch.changesOf(this.#guest), look, { timeoutMs, signal })) ?? false
  }

  async #delete(vm: VirtualMachine): Promise<void> {
    // First: once the VM is gone, nothing would tell a second try of the Secret.
    const secret = userDataSecretNameOf(this.#guest, this.#host)
    const hasSecret = vm.spec.template.spec.volumes?.some(
      ({ cloudInitNoCloud, cloudInitConfigDrive }) =>
        isSecret(cloudInitNoCloud, secret) || isSecret(cloudInitConfigDrive, secret),
    )
    if (hasSecret) await this.#requests.deleteSecret(this.#guest.namespace, secret)
    if (vm.metadata.deletionTimestamp === undefined) await this.#requests.delete(this.#guest, vm)
  }
}

function isSecret(source: CloudInit | undefined, name: string): boolean {
  return source !== undefined && 'secretRef' in source && source.secretRef.name === name
}
