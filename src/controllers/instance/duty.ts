import type { Instance } from '../../apis/v1alpha1/instance.ts'
import type { Result } from '../../kube/controller.ts'

/**
 * One thing the controller sees to. The duties are asked in order; the first that has something to say ends
 * the turn.
 */
export interface Duty {
  /** `undefined`: nothing to do here, ask the next. */
  reconcile(instance: Instance): Promise<Result | undefined>
}
