import { IMAGE, type Image } from '../../../src/apis/v1alpha1/image.ts'
import { INSTANCE, type Instance } from '../../../src/apis/v1alpha1/instance.ts'
import type { Clock } from '../../../src/common/clock.ts'
import type { Logger } from '../../../src/common/log.ts'
import { isNotFound } from '../../../src/kube/api-error.ts'
import type { KubeClient } from '../../../src/kube/client.ts'
import { Informer } from '../../../src/kube/informer.ts'
import { type KubeObject, refOf, type ResourceType } from '../../../src/kube/resource.ts'
import { isOwnedBy } from '../../../src/virt/kubevirt/ownership.ts'
import { SECRET, VIRTUAL_MACHINE, type VirtualMachine } from '../../../src/virt/kubevirt/resources.ts'
import { VIRTUAL_MACHINE_SNAPSHOT } from '../../../src/virt/kubevirt/snapshot-resource.ts'

/** Keeps what is deleted until nothing of what it owns is left: the garbage collector takes it off. */
const FOREGROUND = 'foregroundDeletion'

/**
 * What of Kubernetes' garbage collector matters here, for a kube-apiserver alone has none: what an Instance owned goes after it (an
 * instance that no host has, and one whose host is down, leave that to it), a VirtualMachine goes after its disks, of
 * which nobody makes any here, and a snapshot after its Image.
 */
export class InstanceGarbage {
  readonly #client: KubeClient
  readonly #instances: Informer<Instance>
  readonly #machines: Informer<VirtualMachine>
  readonly #images: Informer<Image>
  readonly #removing = new Set<Promise<void>>()

  constructor(deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger }) {
    this.#client = deps.client
    this.#instances = new Informer(deps, { type: INSTANCE })
    this.#machines = new Informer(deps, { type: VIRTUAL_MACHINE })
    this.#images = new Informer(deps, { type: IMAGE })
  }

  start(): void {
    this.#instances.onChange(({ type, object: { metadata } }) => {
      if (type === 'deleted') this.#do(this.#remove(metadata.namespace ?? '', metadata.uid ?? ''))
    })
    this.#machines.onChange(({ type, object }) => {
      if (type !== 'deleted' && object.metadata.finalizers?.includes(FOREGROUND))
        this.#do(this.#letGo(object))
    })
    this.#images.onChange(({ type, object: { metadata } }) => {
      if (type === 'deleted') this.#do(this.#removeSnapshots(metadata.uid ?? ''))
    })
    this.#instances.start()
    this.#machines.start()
    this.#images.start()
  }

  #do(work: Promise<void>): void {
    // The API server is being stopped, or somebody wrote first, whose change comes here, too.
    const doing = work.catch(() => undefined).finally(() => this.#removing.delete(doing))
    this.#removing.add(doing)
  }

  async #letGo({ metadata }: VirtualMachine): Promise<void> {
    const { namespace = '', name, resourceVersion, finalizers = [] } = metadata
    const left = { metadata: { finalizers: finalizers.filter((one) => one !== FOREGROUND) } }
    await this.#client.mergePatch(VIRTUAL_MACHINE, { namespace, name }, left, { resourceVersion })
  }

  async stop(): Promise<void> {
    await Promise.all([this.#instances.stop(), this.#machines.stop(), this.#images.stop()])
    await Promise.all(this.#removing)
  }

  async #remove(namespace: string, uid: string): Promise<void> {
    await Promise.all([
      this.#removeAll(VIRTUAL_MACHINE, namespace, uid),
      this.#removeAll(SECRET, namespace, uid),
    ])
  }

  async #removeSnapshots(imageUid: string): Promise<void> {
    const { items } = await this.#client.list(VIRTUAL_MACHINE_SNAPSHOT)
    const owned = items.filter(({ metadata }) =>
      metadata.ownerReferences?.some(({ uid }) => uid === imageUid),
    )
    for (const snapshot of owned) await this.#client.delete(VIRTUAL_MACHINE_SNAPSHOT, refOf(snapshot))
  }

  async #removeAll<T extends KubeObject>(
    type: ResourceType<T>,
    namespace: string,
    uid: string,
  ): Promise<void> {
    const { items } = await this.#client.list(type, { namespace })
    for (const object of items.filter((one) => isOwnedBy(one, { uid }))) {
      try {
        await this.#client.delete(type, refOf(object), { uid: object.metadata.uid })
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
    }
  }
}
