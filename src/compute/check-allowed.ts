import type { Instance } from '../apis/v1alpha1/instance.ts'
import { type Operation, OPERATIONS, type OperationName, refusalOf } from '../apis/v1alpha1/operations.ts'
import { ComputeServiceInUse } from '../common/errors/host.ts'
import { InstanceInvalidState, InstanceIsLocked, InstanceNotReady } from '../common/errors/instance-state.ts'
import { ServiceUnavailable } from '../common/errors/unavailable.ts'

type IsUp = (host: string) => boolean

/**
 * Checks what Nova's API checks before an operation, in its order: the lock, the host, the state, the host's service.
 *
 * @param byUser whether a user asks, by an InstanceAction: only then a lock refuses
 * @param isUp whether a host's agent reports
 * @throws InstanceIsLocked, InstanceNotReady, InstanceInvalidState, ServiceUnavailable, ComputeServiceInUse
 */
export function checkAllowed(
  instance: Instance,
  name: OperationName,
  { byUser, isUp }: { readonly byUser: boolean; readonly isUp: IsUp },
): void {
  const operation = OPERATIONS[name]
  const { uid: id = '', name: called } = instance.metadata
  const uid = id || called
  const { vmState = 'building', taskState, lockedBy } = instance.status
  // What is asked for on the Instance is refused by its rules; a delete, by a policy that knows who may. What nova-api does
  // by itself, when its time has come, no lock refuses.
  if (byUser && lockedBy && operation.lock === 'refuses') {
    throw new InstanceIsLocked({ instance: uid })
  }
  if (operation.host !== 'any' && instance.status.host === undefined) {
    throw new InstanceNotReady({
      instance: uid,
      reason: `it has no host, so there is nothing to ${operation.action}`,
    })
  }
  const refusal = isStoppingWhatIsOff(instance, name) ? undefined : refusalOf(operation, vmState, taskState)
  if (refusal) {
    throw new InstanceInvalidState({ instance: uid, method: operation.action, ...refusal })
  }
  checkService(uid, instance, operation, isUp)
}

/** Whether the agents report that have to, and do not where they must not. */
function checkService(uid: string, { status }: Instance, operation: Operation, isUp: IsUp): void {
  const { host, migration } = status
  if (host === undefined) return
  const method = operation.action
  const isDown = (one: string): boolean => !isUp(one)
  if (operation.host === 'down' && !isDown(host)) throw new ComputeServiceInUse({ host })
  if (operation.host === 'up' && isDown(host)) throw new ServiceUnavailable({ instance: uid, host, method })
  // Nova: confirm_resize checks the source's service.
  const source = migration?.sourceHost
  if ((method === 'confirmResize' || method === 'revertResize') && source && isDown(source)) {
    throw new ServiceUnavailable({ instance: uid, host: source, method })
  }
}

/** Nova's force_stop: what is off already may be said to be, whatever the state. */
function isStoppingWhatIsOff({ status }: Instance, name: OperationName): boolean {
  const { powerState, taskState, vmState } = status
  const isOff = powerState === 'SHUTDOWN' || powerState === 'CRASHED'
  return name === 'stop' && vmState === 'paused' && isOff && taskState === undefined
}
