import type { Clock } from '../../common/clock.ts'
import { KubernetesUnavailable } from '../../common/errors/unavailable.ts'
import { isAlreadyExists, isConflict, isForbidden, isNotFound, isRetryable } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { GuestRef } from '../driver.ts'
import { DATA_VOLUME } from './data-volume.ts'
import {
  SECRET,
  type Secret,
  type StateChangeRequest,
  VIRTUAL_MACHINE,
  type VirtualMachine,
  type VirtualMachineInstance,
} from './resources.ts'
import { retrying } from './retrying.ts'

/**
 * What we ask of KubeVirt: one request each, sent again for a while when the API is in trouble. A repeat does
 * no harm: a second create finds the name taken, by us.
 */
export class GuestRequests {
  readonly #client: KubeClient
  readonly #clock: Clock

  constructor(deps: { readonly client: KubeClient; readonly clock: Clock }) {
    this.#client = deps.client
    this.#clock = deps.clock
  }

  /**
   * The VM of that name as it is now, whoever's it is.
   * @throws KubernetesUnavailable when VMs are not served just now, which says nothing of this one
   */
  async get(guest: GuestRef): Promise<VirtualMachine | undefined> {
    try {
      return await this.#retry(() => this.#client.get(VIRTUAL_MACHINE, refOf(guest)))
    } catch (error) {
      if (!isNotFound(error)) throw error
      if (error.details?.name === guest.name) return undefined
      throw new KubernetesUnavailable({ reason: error.message }, { cause: error })
    }
  }

  /** Undefined when the name is taken. */
  async create(vm: VirtualMachine): Promise<VirtualMachine | undefined> {
    return orUndefined(
      isAlreadyExists,
      this.#retry(() => this.#client.create(VIRTUAL_MACHINE, vm)),
    )
  }

  /**
   * Whether there is no Secret of that name, learnt without reading any: it is made on trial, which an agent may do
   * where it may not read. Undefined when the API server does not say.
   */
  async lacksSecret(probe: Secret): Promise<boolean | undefined> {
    try {
      await this.#retry(() => this.#client.create(SECRET, probe, { dryRun: true }))
      return true
    } catch (error) {
      if (isAlreadyExists(error)) return false
      if (isForbidden(error)) return undefined
      throw error
    }
  }

  /** Its name holds the instance's uid and our host, so one that is there is the same. */
  async createSecret(secret: Secret): Promise<void> {
    await orUndefined(
      isAlreadyExists,
      this.#retry(() => this.#client.create(SECRET, secret)),
    )
  }

  async deleteSecret(namespace: string, name: string): Promise<void> {
    await orUndefined(
      isNotFound,
      this.#retry(() => this.#client.delete(SECRET, { namespace, name })),
    )
  }

  /** Starts the guest; what is left of an earlier run is stopped first, or KubeVirt would not look at the start. */
  async start(guest: GuestRef, left?: VirtualMachineInstance): Promise<VirtualMachine> {
    const stop = left ? [stopOf(left)] : []
    return this.#request(guest, [...stop, { action: 'Start' }])
  }

  /** Asks the guest to shut down. The uid makes sure that a later run is not meant. Undefined: no such VM. */
  async stop(guest: GuestRef, vmi: VirtualMachineInstance): Promise<VirtualMachine | undefined> {
    return orUndefined(isNotFound, this.#request(guest, [stopOf(vmi)]))
  }

  /** Takes back a start that KubeVirt has not acted on. Undefined: it changed meanwhile, look again. */
  async cancelStart(guest: GuestRef, vm: VirtualMachine): Promise<VirtualMachine | undefined> {
    return orUndefined(isConflict, this.#request(guest, [], vm.metadata.resourceVersion))
  }

  /** Changes what the guest is started as the next time. Undefined: the VM changed meanwhile, look again. */
  async patchSpec(guest: GuestRef, vm: VirtualMachine, spec: object): Promise<VirtualMachine | undefined> {
    const { resourceVersion } = vm.metadata
    const answer = this.#retry(() =>
      this.#client.mergePatch(VIRTUAL_MACHINE, refOf(guest), { spec }, { resourceVersion }),
    )
    return orUndefined(isConflict, answer)
  }

  /** That there is none is no error, nor that there is no CDI. */
  async deleteDataVolume(namespace: string, name: string): Promise<void> {
    await orUndefined(
      isNotFound,
      this.#retry(() => this.#client.delete(DATA_VOLUME, { namespace, name })),
    )
  }

  /**
   * Pulls the plug. Only KubeVirt's API may do that (nobody else may change a running guest's grace period).
   * That the guest is off or gone already is no error.
   */
  async forceStop(guest: GuestRef): Promise<void> {
    const { namespace, name } = guest
    const path = `/apis/subresources.kubevirt.io/v1/namespaces/${namespace}/virtualmachines/${name}/stop`
    try {
      await this.#retry(
        () => this.#client.request('PUT', path, JSON.stringify({ gracePeriod: 0 })),
        isRetryableStop,
      )
    } catch (error) {
      // A NotFound that names no VM means that the API itself is not there.
      const isGone = isNotFound(error) && error.details?.name === name
      if (!isGone && !isNotRunning(error)) throw error
    }
  }

  /**
   * Removes this very VM. Where it has disks of its own, it stays until they are gone: the next attempt's
   * disks bear the same names.
   */
  async delete(guest: GuestRef, vm: VirtualMachine): Promise<void> {
    const hasDisks = (vm.spec.dataVolumeTemplates ?? []).length > 0
    const options = {
      uid: vm.metadata.uid,
      propagationPolicy: hasDisks ? 'Foreground' : 'Background',
    } as const
    const deletion = this.#retry(() => this.#client.delete(VIRTUAL_MACHINE, refOf(guest), options))
    await orUndefined((error) => isNotFound(error) || isConflict(error), deletion)
  }

  /** A merge patch: a VM made a moment ago has no status yet to which a JSON patch could add. */
  async #request(
    guest: GuestRef,
    stateChangeRequests: readonly StateChangeRequest[],
    resourceVersion?: string,
  ): Promise<VirtualMachine> {
    const patch = { status: { stateChangeRequests } }
    const options = { subresource: 'status', resourceVersion } as const
    return this.#retry(() => this.#client.mergePatch(VIRTUAL_MACHINE, refOf(guest), patch, options))
  }

  async #retry<T>(send: () => Promise<T>, isWorthARetry?: (error: unknown) => boolean): Promise<T> {
    return retrying(this.#clock, send, isWorthARetry)
  }
}

/** KubeVirt's own words; it has the same code for losing a race with another writer. */
function isNotRunning(error: unknown): boolean {
  return isConflict(error) && error.message.includes('not running')
}

function isRetryableStop(error: unknown): boolean {
  return isRetryable(error) || (isConflict(error) && !isNotRunning(error))
}

function refOf({ namespace, name }: GuestRef): { readonly namespace: string; readonly name: string } {
  return { namespace, name }
}

function stopOf(vmi: VirtualMachineInstance): StateChangeRequest {
  return { action: 'Stop', uid: vmi.metadata.uid ?? '' }
}

async function orUndefined<T>(
  isExpected: (error: unknown) => boolean,
  work: Promise<T>,
): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (isExpected(error)) return undefined
    throw error
  }
}
