import { actionInFlight, isAsked } from '../../apis/v1alpha1/which-operation.ts'
import type { ActionName } from '../../apis/v1alpha1/states.ts'
import { actionRecordName } from '../../objects/action-store.ts'
import { type OperationCase, SMALL, SNAPSHOT_IMAGE } from './case.ts'
import { DISK, REMOVAL, SHELVING } from './disk.ts'
import { MOVING, RESIZING } from './moving.ts'
import { POWER } from './power.ts'

/** The request that all of it belongs to. */
export const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'

/** Every message that an agent gets about an instance, but the one to build it. */
export const OPERATION_CASES: readonly OperationCase[] = [
  ...POWER,
  ...DISK,
  ...REMOVAL,
  ...SHELVING,
  ...RESIZING,
  ...MOVING,
].map((short) => {
  const action = actionInFlight(short.before)
  const asked = isAsked(action) && {
    action: {
      name: actionRecordName('web', action, REQUEST),
      operation: action,
      ...(action === 'createImage' && { imageName: SNAPSHOT_IMAGE }),
    },
  }
  return {
    on: 'node-1',
    cleared: ['taskState'],
    ...short,
    before: { host: 'node-1', flavor: SMALL, attempt: 1, requestId: REQUEST, ...asked, ...short.before },
  }
})

/** The action that a case is a step of. */
export function actionOf({ before }: OperationCase): ActionName {
  return actionInFlight(before)
}
