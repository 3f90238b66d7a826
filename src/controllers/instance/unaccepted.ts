import type { Instance } from '../../apis/v1alpha1/instance.ts'
import type { InstanceAction } from '../../apis/v1alpha1/instance-action.ts'
import { isImmediate } from '../../apis/v1alpha1/which-operation.ts'
import { requestIdOf } from '../../common/ids.ts'
import type { Result } from '../../kube/controller.ts'
import { keyOf, refOf } from '../../kube/resource.ts'
import type { ReadonlyStore } from '../../kube/store.ts'
import { OPEN_REQUESTS } from '../instance-action/requests.ts'
import type { Duty } from './duty.ts'

/** For the action to be accepted. */
const ACCEPTING_MS = 100

/**
 * Leaves an instance as it is until the action that its last operation was asked for by is accepted: only the instance's request
 * tells that it was begun, where a leader died before it could say so, and the next operation writes that over.
 */
export class UnacceptedAction implements Duty {
  readonly #actions: ReadonlyStore<InstanceAction>

  /** @param deps.actions has the index OPEN_REQUESTS */
  constructor(deps: { readonly actions: ReadonlyStore<InstanceAction> }) {
    this.#actions = deps.actions
  }

  async reconcile(instance: Instance): Promise<Result | undefined> {
    const { requestId } = instance.status
    const isBegun = this.#actions
      .byIndex(OPEN_REQUESTS, keyOf(refOf(instance)))
      .some(
        ({ spec, metadata }) => !isImmediate(spec.action) && requestIdOf(metadata.uid ?? '', 1) === requestId,
      )
    return isBegun ? { kind: 'after', ms: ACCEPTING_MS } : undefined
  }
}
