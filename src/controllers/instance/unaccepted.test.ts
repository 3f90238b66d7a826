import { beforeEach, expect, it } from 'vitest'
import {
  INSTANCE_ACTION,
  type InstanceAction,
  type InstanceActionSpec,
} from '../../apis/v1alpha1/instance-action.ts'
import { requestIdOf } from '../../common/ids.ts'
import { apiVersionOf } from '../../kube/resource.ts'
import { makeInstance } from '../../testing/builders.ts'
import { ToldInformer } from '../../testing/told-informer.ts'
import { OPEN_REQUESTS, openRequests } from '../instance-action/requests.ts'
import { UnacceptedAction } from './unaccepted.ts'

const REQUEST = requestIdOf('uid-of-mine', 1)
const ACCEPTED = { requestId: REQUEST, user: 'alice', startTime: '2026-01-01T00:00:00Z' } as const

let actions: ToldInformer<InstanceAction>
let duty: UnacceptedAction

beforeEach(() => {
  actions = new ToldInformer(INSTANCE_ACTION, undefined, { indexes: { [OPEN_REQUESTS]: openRequests } })
  duty = new UnacceptedAction({ actions: actions.informer.store })
})

function tell(spec: Partial<InstanceActionSpec>): void {
  actions.tell({
    apiVersion: apiVersionOf(INSTANCE_ACTION),
    kind: INSTANCE_ACTION.kind,
    metadata: { namespace: 'default', name: 'mine', uid: 'uid-of-mine' },
    spec: { action: 'rebuild', instance: 'web', image: 'debian', ...spec },
  })
}

/** The instance was last worked on under this request. */
async function look(requestId: string): Promise<unknown> {
  return duty.reconcile(makeInstance({ status: { vmState: 'active', host: 'node-1', requestId } }))
}

it('an instance whose last operation was begun by an action waits until that is accepted', async () => {
  tell({})
  expect(await look(REQUEST)).toEqual({ kind: 'after', ms: 100 })
  tell(ACCEPTED)
  expect(await look(REQUEST)).toBeUndefined()
})

it.each<{ what: string; spec: Partial<InstanceActionSpec>; requestId: string }>([
  { what: 'has not begun yet', spec: {}, requestId: 'req-another' },
  { what: 'is for another instance', spec: { instance: 'db' }, requestId: REQUEST },
  { what: 'is done at once', spec: { action: 'lock' }, requestId: REQUEST },
])('an instance does not wait for an action that $what', async ({ spec, requestId }) => {
  tell(spec)
  expect(await look(requestId)).toBeUndefined()
})
