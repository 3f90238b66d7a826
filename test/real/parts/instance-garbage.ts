import { INSTANCE, type Instance } from '../../../src/apis/v1alpha1/instance.ts'
import type { Clock } from '../../../src/common/clock.ts'
import type { Logger } from '../../../src/common/log.ts'
import { isNotFound } from '../../../src/kube/api-error.ts'
import type { KubeClient } from '../../../src/kube/client.ts'
import { Informer } from '../../../src/kube/informer.ts'
import { type KubeObject, refOf, type ResourceType } from '../../../src/kube/resource.ts'
import { isOwnedBy } from '../../../src/virt/kubevirt/ownership.ts'
import { SECRET, VIRTUAL_MACHINE } from '../../../src/virt/kubevirt/resources.ts'

/**
 * What of Kubernetes' garbage collector matters here: what an Instance owned goes after it. A kube-apiserver alone has none.
 * An instance that no host has, and one whose host is down, leave that to it.
 */
export class InstanceGarbage {
  readonly #client: KubeClient
  readonly #instances: Informer<Instance>
  readonly #removing = new Set<Promise<void>>()

  constructor(deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger }) {
    this.#client = deps.client
    this.#instances = new Informer(deps, { type: INSTANCE })
  }

  start(): void {
    this.#instances.onChange(({ type, object: { metadata } }) => {
      if (type !== 'deleted') return
      const removing = this.#remove(metadata.namespace ?? '', metadata.uid ?? '')
        // The API server is being stopped: tests do that.
        .catch(() => undefined)
        .finally(() => this.#removing.delete(removing))
      this.#removing.add(removing)
    })
    this.#instances.start()
  }

  async stop(): Promise<void> {
    await this.#instances.stop()
    await Promise.all(this.#removing)
  }

  async #remove(namespace: string, uid: string): Promise<void> {
    await Promise.all([
      this.#removeAll(VIRTUAL_MACHINE, namespace, uid),
      this.#removeAll(SECRET, namespace, uid),
    ])
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
