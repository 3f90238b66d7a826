import { z } from 'zod'
import { FINALIZER } from '../../src/compute/api.ts'
import { eventually } from '../scenarios/eventually.ts'
import type { ControlPlane } from './parts/control-plane.ts'
import { type Answer, ask, type Asked, inTheNameOf } from './requests.ts'

/** Asks, on trial, for what a policy changes or refuses: when it does, the policy is at work. */
export interface PolicyProbe {
  /** The policy's name without the release's. */
  readonly policy: string
  /** Whose request it is; an agent's without a node, where none is given. */
  readonly who?: Readonly<Record<string, string>>
  readonly asked: Asked
  readonly isActive: (answer: Answer) => boolean
}

export const PROBE_NAMESPACE = 'kilonova-probe'
const PROBER = 'kilonova-prober'
const CONDUCTOR = 'system:serviceaccount:kilonova-system:kilonova-conductor'
const REQUESTED_BY = 'compute.kilonova.dev/requested-by'

/** For somebody whom RBAC lets through and the policies do not. */
export const PROBE_RIGHTS: readonly object[] = [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'prober', namespace: PROBE_NAMESPACE },
    rules: [
      { apiGroups: ['compute.kilonova.dev'], resources: ['instances'], verbs: ['create', 'delete'] },
      {
        apiGroups: ['compute.kilonova.dev'],
        resources: ['instanceactions', 'instanceactions/lock'],
        verbs: ['create'],
      },
    ],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'prober', namespace: PROBE_NAMESPACE },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'prober' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: PROBER }],
  },
]

const GROUP = `/apis/compute.kilonova.dev/v1alpha1/namespaces/${PROBE_NAMESPACE}`
const instance = (spec: object): object => ({
  apiVersion: 'compute.kilonova.dev/v1alpha1',
  kind: 'Instance',
  metadata: { name: 'probe' },
  spec: { flavor: 'm1.tiny', image: 'cirros', ...spec },
})
const action = (spec: object): object => ({
  apiVersion: 'compute.kilonova.dev/v1alpha1',
  kind: 'InstanceAction',
  metadata: { name: 'probe' },
  spec: { instance: 'probe', ...spec },
})
const withUser = z.looseObject({ spec: z.looseObject({ user: z.string().optional() }) })
const metadata = z.looseObject({
  metadata: z.looseObject({ annotations: z.record(z.string(), z.string()).optional() }),
})

export const POLICY_PROBES: readonly PolicyProbe[] = [
  {
    policy: 'agent-own-node',
    asked: {
      method: 'POST',
      path: `/api/v1/namespaces/${PROBE_NAMESPACE}/secrets?dryRun=All`,
      body: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'probe' } },
    },
    isActive: ({ message }) => message.includes('agent-own-node'),
  },
  {
    policy: 'conductor-guests',
    who: inTheNameOf(CONDUCTOR),
    asked: {
      method: 'POST',
      path: '/apis/compute.kilonova.dev/v1alpha1/images?dryRun=All',
      body: {
        apiVersion: 'compute.kilonova.dev/v1alpha1',
        kind: 'Image',
        metadata: { name: 'probe' },
        spec: { containerDisk: { image: 'probe' } },
      },
    },
    isActive: ({ message }) => message.includes('conductor-guests'),
  },
  {
    policy: 'force-host',
    who: inTheNameOf(PROBER),
    asked: { method: 'POST', path: `${GROUP}/instances?dryRun=All`, body: instance({ requestedHost: 'a' }) },
    isActive: ({ message }) => message.includes('force-host'),
  },
  {
    policy: 'instance-actions',
    who: inTheNameOf(PROBER),
    asked: {
      method: 'POST',
      path: `${GROUP}/instanceactions?dryRun=All`,
      body: action({ action: 'unlock' }),
    },
    isActive: ({ message }) => message.includes('instance-actions'),
  },
  {
    policy: 'locked-instances',
    who: inTheNameOf(PROBER),
    asked: { method: 'DELETE', path: `${GROUP}/instances/locked?dryRun=All` },
    isActive: ({ message }) => message.includes('locked-instances'),
  },
  {
    policy: 'action-requester',
    who: inTheNameOf(PROBER),
    asked: {
      method: 'POST',
      path: `${GROUP}/instanceactions?dryRun=All`,
      body: action({ action: 'lock' }),
    },
    isActive: ({ status, body }) => status === 201 && withUser.parse(body).spec.user === PROBER,
  },
  {
    policy: 'requester',
    who: inTheNameOf(PROBER),
    asked: { method: 'POST', path: `${GROUP}/instances?dryRun=All`, body: instance({}) },
    isActive: ({ status, body }) =>
      status === 201 && metadata.parse(body).metadata.annotations?.[REQUESTED_BY] === PROBER,
  },
]

/** Makes what the probes need: an instance that is locked. Without one, no delete is refused. */
export async function prepareProbes(plane: ControlPlane): Promise<void> {
  // Accepted and in error, so that no service takes it for work.
  const accepted = { ...instance({}), metadata: { name: 'locked', finalizers: [FINALIZER] } }
  const make = { method: 'POST', path: `${GROUP}/instances`, body: accepted } as const
  const body = { status: { vmState: 'error', taskState: null, lockedBy: 'owner' } }
  const lock = { method: 'PATCH', path: `${GROUP}/instances/locked/status`, body } as const
  // A kind that was defined a moment ago is served, but not by every part of the API server yet.
  await eventually('there is a locked instance', async () => {
    await ask(plane, {}, make)
    const { message } = await ask(plane, {}, lock)
    if (message !== '') throw new Error(message)
    return true
  })
}
