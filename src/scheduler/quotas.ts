import type { ComputeQuota } from '../apis/v1alpha1/compute-quota.ts'
import { OverQuota } from '../common/errors/scheduling.ts'
import type { Informer } from '../kube/informer.ts'
import type { BuildRequest } from '../objects/build-request.ts'
import type { HostManager } from './host-manager.ts'

/** Holds namespaces to what their ComputeQuotas let them have. nova.quota, whose recheck this is: nobody comes between. */
export class Quotas {
  readonly #quotas: Informer<ComputeQuota>
  readonly #hosts: HostManager

  /** @param deps.quotas is indexed by namespace, see {@link BY_NAMESPACE} */
  constructor(deps: { readonly quotas: Informer<ComputeQuota>; readonly hosts: HostManager }) {
    this.#quotas = deps.quotas
    this.#hosts = deps.hosts
  }

  /**
   * Whether the instance may have what it asks for, beside what others of its namespace hold.
   * @throws OverQuota
   */
  check({ instance: { namespace, uid }, flavor }: Pick<BuildRequest, 'instance' | 'flavor'>): void {
    const quotas = this.#quotas.store.byIndex(NAMESPACE, namespace)
    if (quotas.length === 0) return
    const used = this.#hosts.usageOf(namespace, uid)
    for (const { metadata, spec } of quotas) {
      const over = [
        exceeded('instances', 1, used.instances, spec.instances),
        exceeded('cores', flavor.vcpus, used.vcpus, spec.cores),
        exceeded('ram', flavor.memoryMb, used.memoryMb, spec.ram),
      ].filter((one) => one !== undefined)
      if (over.length > 0) throw new OverQuota({ quota: metadata.name, over: over.join('; ') })
    }
  }
}

const NAMESPACE = 'namespace'

/** The index that {@link Quotas} needs. */
export const BY_NAMESPACE = {
  [NAMESPACE]: ({ metadata }: ComputeQuota): readonly string[] => [metadata.namespace ?? ''],
}

// oxlint-disable-next-line max-params -- a sum and its limit
function exceeded(what: string, asked: number, used: number, limit = -1): string | undefined {
  if (limit === -1 || used + asked <= limit) return undefined
  return `${what}: ${asked} asked, ${used} of ${limit} used`
}
