import type { Clock } from '../../common/clock.ts'
import type { Logger } from '../../common/log.ts'
import { isAlreadyExists, isNotFound } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import { Controller, DONE, type Result } from '../../kube/controller.ts'
import { Informer } from '../../kube/informer.ts'
import { keyOf, refOf } from '../../kube/resource.ts'
import type { ReadonlyStore } from '../../kube/store.ts'
import type { VirtualMachine } from '../../virt/kubevirt/resources.ts'
import {
  VIRTUAL_MACHINE_SNAPSHOT,
  VIRTUAL_MACHINE_SNAPSHOT_CONTENT,
  type VirtualMachineSnapshot,
} from '../../virt/kubevirt/snapshot-resource.ts'
import type { VirtHandler } from './virt-handler.ts'
import { seconds } from './vmi.ts'

export interface SnapshotsDeps {
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
  readonly vms: ReadonlyStore<VirtualMachine>
  readonly handler: VirtHandler
}

/** Says of every VirtualMachineSnapshot that it was taken, with nothing behind it: the volumes' snapshots are names alone. */
export class Snapshots {
  readonly #deps: SnapshotsDeps
  readonly #informer: Informer<VirtualMachineSnapshot>
  readonly #controller: Controller

  constructor(deps: SnapshotsDeps) {
    this.#deps = deps
    this.#informer = new Informer(deps, { type: VIRTUAL_MACHINE_SNAPSHOT })
    this.#controller = new Controller(deps, {
      name: 'kubevirt-snapshots',
      concurrency: 4,
      reconcile: async (key) => this.#reconcile(key),
    })
    this.#informer.onChange(({ object }) => this.#controller.enqueue(keyOf(object.metadata)))
  }

  async start(signal?: AbortSignal): Promise<void> {
    this.#informer.start()
    await this.#informer.synced(signal)
    this.#controller.start()
  }

  async stop(): Promise<void> {
    await this.#controller.stop()
    await this.#informer.stop()
  }

  /** A snapshot may have waited for this VM. */
  lookAgain(namespace: string | undefined, vmName: string): void {
    for (const { metadata, spec } of this.#informer.store.list()) {
      if (metadata.namespace === namespace && spec.source.name === vmName) {
        this.#controller.enqueue(keyOf(metadata))
      }
    }
  }

  async #reconcile(key: string): Promise<Result> {
    const snapshot = this.#informer.store.get(key)
    if (!snapshot || snapshot.status?.phase === 'Succeeded' || snapshot.status?.phase === 'Failed')
      return DONE
    const { namespace = '' } = snapshot.metadata
    const vm = this.#deps.vms.get(keyOf({ namespace, name: snapshot.spec.source.name }))
    if (!vm) return { kind: 'waiting', on: 'its VirtualMachine' }
    if (this.#deps.handler.behaviourOf(vm).isSnapshotFailing) {
      const error = { message: 'VolumeSnapshot error: the storage was told to fail it' }
      await this.#write(snapshot, { phase: 'Failed', readyToUse: false, error })
      return DONE
    }
    const content = await this.#createContent(snapshot, vm)
    const creationTime = seconds(this.#deps.clock.now())
    const virtualMachineSnapshotContentName = content
    await this.#write(snapshot, {
      phase: 'Succeeded',
      readyToUse: true,
      creationTime,
      virtualMachineSnapshotContentName,
    })
    return DONE
  }

  async #createContent({ metadata }: VirtualMachineSnapshot, vm: VirtualMachine): Promise<string> {
    const { namespace = '', uid = '' } = metadata
    const name = `vmsnapshot-content-${uid}`
    const kept = (vm.spec.template.spec.volumes ?? []).filter(
      ({ persistentVolumeClaim, dataVolume }) =>
        persistentVolumeClaim !== undefined || dataVolume !== undefined,
    )
    const volumeBackups = kept.map((volume) => ({
      volumeName: volume.name,
      persistentVolumeClaim: {},
      volumeSnapshotName: `vmsnapshot-${uid}-volume-${volume.name}`,
    }))
    try {
      await this.#deps.client.create(VIRTUAL_MACHINE_SNAPSHOT_CONTENT, {
        apiVersion: 'snapshot.kubevirt.io/v1beta1',
        kind: 'VirtualMachineSnapshotContent',
        metadata: { namespace, name },
        spec: { source: {}, virtualMachineSnapshotName: metadata.name, volumeBackups },
      })
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
    return name
  }

  async #write(snapshot: VirtualMachineSnapshot, status: object): Promise<void> {
    try {
      const options = { subresource: 'status' } as const
      const answer = await this.#deps.client.mergePatch(
        VIRTUAL_MACHINE_SNAPSHOT,
        refOf(snapshot),
        { status },
        options,
      )
      this.#informer.observe(answer)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}
