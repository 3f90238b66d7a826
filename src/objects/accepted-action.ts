import type { InstanceAction, InstanceActionSpec } from '../apis/v1alpha1/instance-action.ts'

/** What nova-api writes down when it accepts an action. */
type Acceptance = 'requestId' | 'user' | 'startTime'

/** An action that is a request of its own by now. One for an instance that was not there has no instanceUid. */
export interface AcceptedAction extends InstanceAction {
  readonly spec: InstanceActionSpec & Required<Pick<InstanceActionSpec, Acceptance>>
}

/** Whether nova-api has accepted it; what nova-api records by itself is accepted from the start. */
export function isAccepted(action: InstanceAction): action is AcceptedAction {
  const { requestId, user, startTime } = action.spec
  return requestId !== undefined && user !== undefined && startTime !== undefined
}
