import type { ComputeNode } from '../apis/v1alpha1/compute-node.ts'
import type { Informer } from '../kube/informer.ts'

/** Which hosts there are, and whether their agents report: as the scheduler's leader writes it down. nova.servicegroup.API */
export class HostStates {
  readonly #nodes: Pick<Informer<ComputeNode>, 'store'>

  constructor(deps: { readonly nodes: Pick<Informer<ComputeNode>, 'store'> }) {
    this.#nodes = deps.nodes
  }

  isKnown(host: string): boolean {
    return this.#nodes.store.get(host) !== undefined
  }

  /** A host that nobody knows is down. */
  isUp(host: string): boolean {
    const node = this.#nodes.store.get(host)
    return node !== undefined && !node.spec.forcedDown && node.status?.state !== 'down'
  }
}
