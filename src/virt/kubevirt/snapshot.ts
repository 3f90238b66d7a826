import type { Clock } from '../../common/clock.ts'
import { NotSupported, SnapshotFailure } from '../../common/errors/guest.ts'
import { messageOf } from '../../common/errors/message-of.ts'
import type { Logger } from '../../common/log.ts'
import { ApiError, isNotFound, isRetryable } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { GuestRef } from '../driver.ts'
import type { SnapshotOptions, SnapshotSource } from '../guest-moves.ts'
import { followObject } from './follow-object.ts'
import type { MoveRequests } from './move-requests.ts'
import { HOST_LABEL, hostLabelValue, INSTANCE_UID_LABEL, REQUEST_ID_ANNOTATION } from './ownership.ts'
import type { VirtualMachine } from './resources.ts'
import {
  VIRTUAL_MACHINE_SNAPSHOT,
  VIRTUAL_MACHINE_SNAPSHOT_CONTENT,
  type VirtualMachineSnapshot,
} from './snapshot-resource.ts'
import { ROOT } from './to-virtual-machine.ts'

export interface SnapshotDeps {
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
  readonly requests: MoveRequests
}

const NOT_SERVED =
  'KubeVirt takes no snapshots here: enable its Snapshot feature gate and use storage with a VolumeSnapshotClass'
const NO_DISK =
  'the root disk is the image itself (a containerDisk), and what the guest writes to it is never kept; use an image with a dataVolume or a persistentVolumeClaim'

export interface SnapshotRequest extends SnapshotOptions {
  /** The request it is taken for: another's snapshot of that name is of another time. */
  readonly requestId: string
}

/** Copies the root disk of one guest. */
export class Snapshot {
  readonly #deps: SnapshotDeps
  readonly #host: string
  readonly #guest: GuestRef
  readonly #options: SnapshotRequest

  constructor(deps: SnapshotDeps, host: string, guest: GuestRef, options: SnapshotRequest) {
    this.#deps = deps
    this.#host = host
    this.#guest = guest
    this.#options = options
  }

  async take(vm: VirtualMachine): Promise<SnapshotSource> {
    const root = vm.spec.template.spec.volumes?.find(({ name }) => name === ROOT)
    if (!root || root.containerDisk) throw new NotSupported({ operation: 'snapshot', reason: NO_DISK })
    try {
      return await this.#take()
    } catch (error) {
      throw error instanceof ApiError && !isRetryable(error) ? this.#refused(error) : error
    }
  }

  async #take(): Promise<SnapshotSource> {
    const { log } = this.#deps
    const { name, signal } = this.#options
    const made = await this.#make()
    if (made.metadata.labels?.[INSTANCE_UID_LABEL] !== this.#guest.uid) {
      throw this.#failure(`there is a VirtualMachineSnapshot ${name} of something else`)
    }
    if (this.#isOfAnother(made)) {
      const advice = 'have an administrator remove it, or give the image another name'
      throw this.#failure(`there is a VirtualMachineSnapshot ${name} of an earlier request: ${advice}`)
    }
    log.info('Takes a snapshot', { name })
    const followed = { type: VIRTUAL_MACHINE_SNAPSHOT, object: made, signal }
    const content = await followObject(this.#deps, followed, (seen) => this.#contentOf(seen))
    const source = await this.#sourceIn(content)
    log.info('Took a snapshot', { name, volumeSnapshot: source.snapshot.name })
    return source
  }

  /** The snapshot as it was asked for now or before, once none of that name is on its way out. */
  async #make(): Promise<VirtualMachineSnapshot> {
    const { requests, log } = this.#deps
    const { name, signal } = this.#options
    for (;;) {
      const made = await requests.make(VIRTUAL_MACHINE_SNAPSHOT, this.#snapshot())
      if (!this.#isGoing(made)) return made
      log.info('Waits for an earlier snapshot of that name to be removed', { name })
      const followed = { type: VIRTUAL_MACHINE_SNAPSHOT, object: made, signal }
      const { uid } = made.metadata
      await followObject(
        this.#deps,
        followed,
        (seen) => !seen || seen.metadata.uid !== uid || !this.#isGoing(seen) || undefined,
      )
    }
  }

  /** Whether it is being removed, or will be with its Image: no name is asked for while there is an Image of it. */
  #isGoing(snapshot: VirtualMachineSnapshot): boolean {
    const { deletionTimestamp, ownerReferences = [] } = snapshot.metadata
    if (deletionTimestamp !== undefined) return true
    // What does not say whose it is may be this request's own, given to its Image already: that would be waited for in vain.
    const isKnown = requestOf(snapshot) !== undefined
    return isKnown && this.#isOfAnother(snapshot) && ownerReferences.some(({ kind }) => kind === 'Image')
  }

  /**
   * Whether an earlier request asked for it. One that does not say so is of an older agent: it may have been in the middle of this
   * request, but what it finished may be of any time.
   */
  #isOfAnother(snapshot: VirtualMachineSnapshot): boolean {
    const requestId = requestOf(snapshot)
    return requestId === undefined
      ? snapshot.status?.readyToUse === true
      : requestId !== this.#options.requestId
  }

  /** The name of what the snapshot holds, once that can be used. */
  #contentOf(snapshot: VirtualMachineSnapshot | undefined): string | undefined {
    if (!snapshot) throw this.#failure('its VirtualMachineSnapshot was removed')
    const { phase, readyToUse, error, virtualMachineSnapshotContentName } = snapshot.status ?? {}
    if (phase === 'Failed') throw this.#failure(error?.message ?? 'KubeVirt gives no reason')
    return readyToUse === true ? virtualMachineSnapshotContentName : undefined
  }

  async #sourceIn(contentName: string): Promise<SnapshotSource> {
    const { namespace } = this.#guest
    const ref = { namespace, name: contentName }
    const content = await this.#deps.requests.find(VIRTUAL_MACHINE_SNAPSHOT_CONTENT, ref)
    const backup = content?.spec.volumeBackups?.find(({ volumeName }) => volumeName === ROOT)
    const name = backup?.volumeSnapshotName
    if (name === undefined) throw this.#failure('the storage of its root disk has no VolumeSnapshotClass')
    return { snapshot: { namespace, name } }
  }

  /** It belongs to nobody until there is its Image, so that it outlives the instance. */
  #snapshot(): VirtualMachineSnapshot {
    const { namespace, name, uid } = this.#guest
    return {
      apiVersion: 'snapshot.kubevirt.io/v1beta1',
      kind: 'VirtualMachineSnapshot',
      metadata: {
        namespace,
        name: this.#options.name,
        labels: {
          'app.kubernetes.io/managed-by': 'kilonova',
          [INSTANCE_UID_LABEL]: uid,
          [HOST_LABEL]: hostLabelValue(this.#host),
        },
        annotations: { [REQUEST_ID_ANNOTATION]: this.#options.requestId },
      },
      spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name } },
    }
  }

  #refused(error: ApiError): Error {
    const isServed = !isNotFound(error) || error.details?.name !== undefined
    return isServed
      ? this.#failure(messageOf(error), error)
      : new NotSupported({ operation: 'snapshot', reason: NOT_SERVED }, { cause: error })
  }

  #failure(reason: string, cause?: unknown): SnapshotFailure {
    return new SnapshotFailure({ instance: this.#guest.uid, reason }, { cause })
  }
}

function requestOf({ metadata }: VirtualMachineSnapshot): string | undefined {
  return metadata.annotations?.[REQUEST_ID_ANNOTATION]
}
