import type { Instance, InstanceSpec, InstanceStatus } from '../apis/v1alpha1/instance.ts'
import type { ObjectMeta } from '../kube/resource.ts'
import { type FlavorSize, sizeOf } from '../objects/build-request.ts'

/**
 * Keeps of instances that nothing is being done to what the scheduler reads: there may be hundreds of thousands. What
 * they have in common is kept once. Who needs the whole of one asks the API server.
 */
export class InstanceTrimmer {
  readonly #specs = new Map<string, InstanceSpec>()
  readonly #flavors = new Map<string, FlavorSize>()
  readonly #names = new Map<string, string>()

  readonly trim = (instance: Instance): Instance => {
    const { apiVersion, kind, metadata, status } = instance
    if (status.taskState !== undefined || status.vmState === 'building' || 'migration' in status) {
      return instance
    }
    return {
      apiVersion: this.#same(apiVersion),
      kind: this.#same(kind),
      metadata: this.#metadata(metadata),
      spec: this.#spec(instance.spec),
      status: this.#status(status),
    }
  }

  /** The usual one is written out: objects that are put together piece by piece take twice the memory. */
  #metadata(metadata: ObjectMeta): ObjectMeta {
    const { name, uid, resourceVersion, deletionTimestamp, finalizers } = metadata
    const namespace = metadata.namespace === undefined ? undefined : this.#same(metadata.namespace)
    const isUsual = uid !== undefined && resourceVersion !== undefined && deletionTimestamp === undefined
    if (isUsual && namespace !== undefined) return { name, namespace, uid, resourceVersion }
    return {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
      // Only whether there are any matters, and that only while it is deleted.
      ...(finalizers && deletionTimestamp !== undefined && { finalizers }),
    }
  }

  #status(status: InstanceStatus): InstanceStatus {
    const { vmState, triedHosts } = status
    const host = status.host === undefined ? undefined : this.#same(status.host)
    const flavor = status.flavor && this.#flavor(status.flavor)
    const isUsual = vmState !== undefined && host !== undefined && !triedHosts?.length
    if (isUsual && flavor) return { vmState, host, flavor }
    return {
      ...(vmState && { vmState }),
      ...(host !== undefined && { host }),
      ...(flavor && { flavor }),
      ...(triedHosts?.length && { triedHosts }),
    }
  }

  #same(text: string): string {
    const known = this.#names.get(text)
    if (known !== undefined) return known
    this.#names.set(text, text)
    return text
  }

  #spec({ flavor, image, powerState, schedulerHints }: InstanceSpec): InstanceSpec {
    const spec = { flavor, image, powerState, ...(schedulerHints && { schedulerHints }) }
    if (schedulerHints) return spec
    return held(this.#specs, `${flavor} ${image} ${powerState}`, spec)
  }

  /** Its size alone: what it asks of a host besides matters only while the instance is placed. */
  #flavor(flavor: FlavorSize): FlavorSize {
    const size = sizeOf(flavor)
    return held(this.#flavors, JSON.stringify(size), size)
  }
}

function held<T>(all: Map<string, T>, key: string, value: T): T {
  const known = all.get(key)
  if (known !== undefined) return known
  all.set(key, value)
  return value
}
