import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { isAsked } from '../../src/apis/v1alpha1/which-operation.ts'
import { ACTION_NAMES, type ActionName } from '../../src/apis/v1alpha1/states.ts'
import { eventually } from '../scenarios/eventually.ts'
import { Installation } from './installation.ts'
import { type ControlPlane, startControlPlane } from './parts/control-plane.ts'
import { type Answer, ask, type Asked, bearer, inTheNameOf } from './requests.ts'
import { setupNeeded } from './setup-needed.ts'

const needed = setupNeeded('helm', 'kubectl')
if (needed !== undefined) console.log(needed)

const GROUP = '/apis/compute.kilonova.dev/v1alpha1'
const of = (namespace: string): string => `${GROUP}/namespaces/${namespace}`
const INSTANCES = `${of('team-a')}/instances`
const ACTIONS = `${of('team-a')}/instanceactions`
const REQUESTED_BY = 'compute.kilonova.dev/requested-by'

/** Who has which of the chart's roles in team-a; `picky` may ask for a lock, and that is all. */
const ROLES = {
  viewer: 'kilonova-view',
  editor: 'kilonova-edit',
  boss: 'kilonova-admin',
  picky: 'asks-to-lock',
  operator: 'kilonova-operator',
} as const
type Name = keyof typeof ROLES

const instance = (name: string, fields: { readonly spec?: object; readonly annotations?: object } = {}) => ({
  apiVersion: 'compute.kilonova.dev/v1alpha1',
  kind: 'Instance',
  metadata: { name, ...(fields.annotations && { annotations: fields.annotations }) },
  spec: { flavor: 'm1.tiny', image: 'cirros', ...fields.spec },
})
const record = (action: string, user: string) => ({
  apiVersion: 'compute.kilonova.dev/v1alpha1',
  kind: 'InstanceAction',
  metadata: { name: `web-${action}-by-${user}` },
  spec: {
    action,
    instance: 'web',
    instanceUid: 'u',
    requestId: 'req-1',
    user,
    startTime: '2026-01-01T00:00:00Z',
  },
})
const action = (name: string, fields: object = {}) => ({
  apiVersion: 'compute.kilonova.dev/v1alpha1',
  kind: 'InstanceAction',
  metadata: { name: name.toLowerCase() },
  spec: { action: name, instance: 'web', ...fields },
})
/** Nova's default policies: for a project's manager and an administrator, or for the latter alone. */
const NOT_FOR_MANAGERS: readonly ActionName[] = ['evacuate', 'shelveOffload', 'resetState']
const NOT_FOR_MEMBERS: readonly ActionName[] = ['migrate', 'live-migration', ...NOT_FOR_MANAGERS]
const ASKED = ACTION_NAMES.filter(isAsked)
/** What some of them cannot do without. */
const PARAMETERS: Readonly<Partial<Record<ActionName, object>>> = {
  rebuild: { image: 'cirros' },
  createImage: { imageName: 'copy' },
  resetState: { state: 'error' },
}
const asksFor = (who: Name, name: ActionName, fields = PARAMETERS[name]) => ({
  who,
  what: `ask for ${name}`,
  asked: {
    method: 'POST',
    path: `${ACTIONS}?dryRun=All`,
    body: { ...action(name, fields), metadata: { generateName: 'web-' } },
  } as const,
  code: 201,
})
const stamped = z.looseObject({
  metadata: z.looseObject({ annotations: z.record(z.string(), z.string()).default({}) }),
})

describe.skipIf(needed !== undefined)('the rights of users', () => {
  let plane: ControlPlane
  let installation: Installation

  beforeAll(async () => {
    plane = await startControlPlane()
    installation = await Installation.apply(plane)
    for (const namespace of ['team-a', 'team-b']) {
      await put('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
      await put(`${of(namespace)}/instances`, instance('web', { spec: { powerState: 'Running' } }))
    }
    await put(INSTANCES, instance('locked'))
    const locked = { method: 'PATCH', path: `${INSTANCES}/locked/status` } as const
    await ask(plane, {}, { ...locked, body: { status: { lockedBy: 'owner' } } })
    const apiVersion = 'rbac.authorization.k8s.io/v1'
    const rbac = '/apis/rbac.authorization.k8s.io/v1'
    await put(`${rbac}/clusterroles`, {
      apiVersion,
      kind: 'ClusterRole',
      metadata: { name: ROLES.picky },
      rules: [
        {
          apiGroups: ['compute.kilonova.dev'],
          resources: ['instanceactions', 'instanceactions/lock'],
          verbs: ['create'],
        },
      ],
    })
    for (const [name, role] of Object.entries(ROLES)) {
      await put(`${rbac}/namespaces/team-a/rolebindings`, {
        apiVersion,
        kind: 'RoleBinding',
        metadata: { name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name }],
      })
    }
    // RBAC's own cache is a moment behind: it has them all when it has the last.
    await eventually('the roles are bound', async () => (await by('operator', list('team-a'))).status === 200)
  })
  afterAll(() => plane?.stop())

  async function put(path: string, body: object): Promise<Answer> {
    const answer = await ask(plane, {}, { method: 'POST', path, body })
    if (answer.status !== 201) throw new Error(answer.message)
    return answer
  }

  async function by(who: Name, asked: Asked): Promise<Answer> {
    return ask(plane, inTheNameOf(who), asked)
  }

  function list(namespace: string): Asked {
    return { method: 'GET', path: `${of(namespace)}/instances` }
  }

  it.each<{ who: Name; what: string; asked: Asked; says: string }>([
    {
      who: 'viewer',
      what: 'create an instance',
      asked: { method: 'POST', path: INSTANCES, body: instance('new') },
      says: 'User "viewer" cannot create resource "instances"',
    },
    {
      who: 'viewer',
      what: 'change an instance',
      asked: { method: 'PATCH', path: `${INSTANCES}/web`, body: { spec: { powerState: 'Shutdown' } } },
      says: 'User "viewer" cannot patch resource "instances"',
    },
    {
      who: 'viewer',
      what: 'see another project',
      asked: list('team-b'),
      says: 'User "viewer" cannot list resource "instances"',
    },
    {
      who: 'editor',
      what: 'touch another project',
      asked: { method: 'DELETE', path: `${of('team-b')}/instances/web` },
      says: 'User "editor" cannot delete resource "instances"',
    },
    {
      who: 'editor',
      what: 'set a status',
      asked: { method: 'PATCH', path: `${INSTANCES}/web/status`, body: { status: { vmState: 'active' } } },
      says: 'User "editor" cannot patch resource "instances/status"',
    },
    {
      who: 'boss',
      what: 'set the status of a record',
      asked: { method: 'PATCH', path: `${ACTIONS}/any/status`, body: { status: { result: 'Success' } } },
      says: 'User "boss" cannot patch resource "instanceactions/status"',
    },
    {
      who: 'operator',
      what: 'write a record',
      asked: { method: 'POST', path: ACTIONS, body: record('lock', 'operator') },
      says: 'a record is made by nova-api; ask for an action without requestId and startTime',
    },
    {
      who: 'editor',
      what: 'change an action',
      asked: { method: 'PATCH', path: `${ACTIONS}/any`, body: { spec: { user: 'boss' } } },
      says: 'User "editor" cannot patch resource "instanceactions"',
    },
    {
      who: 'editor',
      what: 'override a lock',
      asked: { method: 'POST', path: ACTIONS, body: action('unlock', { override: true }) },
      says: 'editor may not override a lock: it needs the right to create instanceactions/override of compute.kilonova.dev in namespace team-a',
    },
    ...(['editor', 'boss'] as const).map((who) => ({
      who,
      what: 'delete a locked instance',
      asked: { method: 'DELETE', path: `${INSTANCES}/locked` } as const,
      says: 'is locked; unlock it first',
    })),
    {
      who: 'editor',
      what: 'remove a record',
      asked: { method: 'DELETE', path: `${ACTIONS}/any` },
      says: 'User "editor" cannot delete resource "instanceactions"',
    },
    {
      who: 'picky',
      what: 'ask for another action than lock',
      asked: { method: 'POST', path: ACTIONS, body: action('unlock') },
      says: 'picky may not ask for the action unlock: it needs the right to create instanceactions/unlock of compute.kilonova.dev in namespace team-a',
    },
    ...(['editor', 'boss'] as const).map((who) => ({
      who,
      what: 'choose a host',
      asked: {
        method: 'POST',
        path: INSTANCES,
        body: instance('new', { spec: { requestedHost: 'node-1' } }),
      } as const,
      says: `${who} may not choose the host of an instance: spec.requestedHost needs the right to create instances/forcehost of compute.kilonova.dev in namespace team-a`,
    })),
    ...NOT_FOR_MEMBERS.map((name) => ({
      who: 'editor' as const,
      what: `ask for ${name}`,
      asked: { method: 'POST', path: ACTIONS, body: action(name, PARAMETERS[name]) } as const,
      says: `editor may not ask for the action ${name}: it needs the right to create instanceactions/${name}`,
    })),
    ...NOT_FOR_MANAGERS.map((name) => ({
      who: 'boss' as const,
      what: `ask for ${name}`,
      asked: { method: 'POST', path: ACTIONS, body: action(name, PARAMETERS[name]) } as const,
      says: `boss may not ask for the action ${name}: it needs the right to create instanceactions/${name}`,
    })),
    ...(['migrate', 'live-migration'] as const).map((name) => ({
      who: 'boss' as const,
      what: `choose the host of a ${name}`,
      asked: { method: 'POST', path: ACTIONS, body: action(name, { host: 'node-1' }) } as const,
      says: 'boss may not choose the host of an instance: spec.host needs the right to create instances/forcehost of compute.kilonova.dev in namespace team-a',
    })),
    {
      who: 'viewer',
      what: 'ask for an action',
      asked: { method: 'POST', path: ACTIONS, body: action('reboot') },
      says: 'User "viewer" cannot create resource "instanceactions"',
    },
    {
      who: 'boss',
      what: 'make a flavor',
      asked: { method: 'POST', path: `${GROUP}/flavors`, body: {} },
      says: 'User "boss" cannot create resource "flavors"',
    },
    {
      who: 'boss',
      what: 'see the hosts',
      asked: { method: 'GET', path: `${GROUP}/computenodes` },
      says: 'User "boss" cannot list resource "computenodes"',
    },
  ])('$who may not $what', async ({ who, asked, says }) => {
    const { status, message } = await by(who, asked)

    expect(message).toContain(says)
    expect(status).toBe(403)
  })

  it.each<{ who: Name; what: string; asked: Asked; code?: number }>([
    { who: 'viewer', what: 'list instances', asked: list('team-a') },
    { who: 'viewer', what: 'list records', asked: { method: 'GET', path: ACTIONS } },
    { who: 'viewer', what: 'list flavors', asked: { method: 'GET', path: `${GROUP}/flavors` } },
    { who: 'viewer', what: 'list images', asked: { method: 'GET', path: `${GROUP}/images` } },
    {
      who: 'editor',
      what: 'create an instance',
      asked: { method: 'POST', path: INSTANCES, body: instance('by-editor') },
      code: 201,
    },
    {
      who: 'editor',
      what: 'delete an instance',
      asked: { method: 'DELETE', path: `${INSTANCES}/by-editor` },
    },
    {
      who: 'operator',
      what: 'choose a host',
      asked: {
        method: 'POST',
        path: INSTANCES,
        body: instance('there', { spec: { requestedHost: 'node-1' } }),
      },
      code: 201,
    },
    {
      who: 'picky',
      what: 'ask for a lock',
      asked: { method: 'POST', path: ACTIONS, body: action('lock') },
      code: 201,
    },
    {
      who: 'operator',
      what: 'override a lock',
      asked: { method: 'POST', path: ACTIONS, body: action('unlock', { override: true }) },
      code: 201,
    },
    ...ASKED.filter((name) => !NOT_FOR_MEMBERS.includes(name)).map((name) => asksFor('editor', name)),
    ...ASKED.filter((name) => !NOT_FOR_MANAGERS.includes(name)).map((name) => asksFor('boss', name)),
    ...ASKED.map((name) => asksFor('operator', name)),
    ...(['migrate', 'live-migration', 'evacuate'] as const).map((name) => ({
      ...asksFor('operator', name, { host: 'node-1' }),
      what: `choose the host of a ${name}`,
    })),
    {
      who: 'operator',
      what: 'delete a locked instance',
      asked: { method: 'DELETE', path: `${INSTANCES}/locked?dryRun=All` },
    },
    {
      who: 'boss',
      what: 'remove a record',
      asked: { method: 'DELETE', path: `${ACTIONS}/lock` },
    },
  ])('$who may $what', async ({ who, asked, code = 200 }) => {
    expect(await by(who, asked)).toMatchObject({ status: code, message: '' })
  })

  it('Kubernetes’ own roles take Kilonova’s in', () => {
    const labels = installation.manifests
      .filter(({ kind }) => kind === 'ClusterRole')
      .map(({ metadata }) => z.record(z.string(), z.string()).parse(metadata.labels))
    for (const role of ['view', 'edit', 'admin']) {
      const taken = labels.filter((one) => one[`rbac.authorization.k8s.io/aggregate-to-${role}`] === 'true')
      expect(taken).toHaveLength(1)
    }
  })

  it('a namespace that is deleted takes a locked instance along, which Kubernetes itself cannot delete otherwise', async () => {
    const apiVersion = 'rbac.authorization.k8s.io/v1'
    await put(`/apis/${apiVersion}/clusterrolebindings`, {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'deleting' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'kilonova-edit' },
      subjects: ['generic-garbage-collector', 'namespace-controller'].map((name) => ({
        kind: 'ServiceAccount',
        name,
        namespace: 'kube-system',
      })),
    })
    const namespace = '/api/v1/namespaces/team-c'
    await put('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team-c' } })
    await put(`${of('team-c')}/instances`, instance('locked'))
    const path = `${of('team-c')}/instances/locked`
    await ask(plane, {}, { method: 'PATCH', path: `${path}/status`, body: { status: { lockedBy: 'admin' } } })
    const deleteBy = async (name: string): Promise<string> => {
      const who = inTheNameOf(`system:serviceaccount:kube-system:${name}`)
      return (await ask(plane, who, { method: 'DELETE', path: `${path}?dryRun=All` })).message
    }

    await expect
      .poll(async () => deleteBy('generic-garbage-collector'))
      .toContain('is locked; unlock it first')
    await ask(plane, {}, { method: 'DELETE', path: namespace })

    await expect.poll(async () => deleteBy('namespace-controller')).toBe('')
  })

  describe('an action', () => {
    const plural = '/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings'
    const asked = {
      method: 'POST',
      path: `${ACTIONS}?dryRun=All`,
      body: action('lock', { user: 'boss' }),
    } as const

    it('bears the name of who asks, whatever he says himself', async () => {
      expect((await by('editor', asked)).body).toMatchObject({ spec: { user: 'editor' } })
    })

    it('is accepted by nova-api, and not by somebody else', async () => {
      const path = `${ACTIONS}/accepted`
      await put(ACTIONS, { ...action('lock'), metadata: { name: 'accepted' } })
      const spec = { requestId: 'req-1', user: 'alice', startTime: '2026-01-01T00:00:00Z', instanceUid: 'u' }
      const accept = { method: 'PATCH', path, body: { spec } } as const

      expect((await ask(plane, {}, accept)).message).toContain(
        'an action is accepted, and written down, by nova-api alone',
      )
      expect(await ask(plane, bearer(await installation.token('api')), accept)).toMatchObject({ message: '' })
    })

    it('is refused in the name of another where the cluster does not stamp it', async () => {
      await ask(plane, {}, { method: 'DELETE', path: `${plural}/kilonova-action-requester` })

      await expect
        .poll(async () => (await by('editor', asked)).message)
        .toContain("spec.user is boss, but an action is asked for in one's own name: editor")
      expect((await by('editor', { ...asked, body: action('lock') })).message).toBe('')
    })
  })

  describe('who asked is written on the instance', () => {
    async function requesterOf(answer: Answer): Promise<string | undefined> {
      expect(answer.message).toBe('')
      return stamped.parse(answer.body).metadata.annotations[REQUESTED_BY]
    }

    const forged = { [REQUESTED_BY]: 'boss' }

    it('by whoever creates it, whatever he says himself', async () => {
      const body = (name: string) => instance(name, { annotations: forged })
      const plain = await by('editor', { method: 'POST', path: INSTANCES, body: instance('plain') })
      const lying = await by('editor', { method: 'POST', path: INSTANCES, body: body('lying') })

      expect(await requesterOf(plain)).toBe('editor')
      expect(await requesterOf(lying)).toBe('editor')
    })

    it('by whoever changes its spec, and by nothing else', async () => {
      await by('editor', { method: 'POST', path: INSTANCES, body: instance('changed') })
      const path = `${INSTANCES}/changed`
      const patch = async (who: Name, body: object): Promise<string | undefined> =>
        requesterOf(await by(who, { method: 'PATCH', path, body }))

      expect(await patch('boss', { spec: { metadata: { a: 'b' } } })).toBe('boss')
      expect(await patch('editor', { metadata: { annotations: forged, labels: { a: 'b' } } })).toBe('boss')
      expect(await patch('editor', { metadata: { annotations: { [REQUESTED_BY]: 'alice' } } })).toBe('boss')
      expect(await patch('editor', { metadata: { annotations: { [REQUESTED_BY]: null } } })).toBe('boss')
      expect(await patch('editor', { metadata: { annotations: null } })).toBe('boss')
      expect(
        await patch('editor', { spec: { metadata: { a: 'c' } }, metadata: { annotations: forged } }),
      ).toBe('editor')
    })

    it('not by nova-api, which takes it into its hands', async () => {
      await by('editor', { method: 'POST', path: INSTANCES, body: instance('accepted') })
      const api = bearer(await installation.token('api'))
      const body = { metadata: { finalizers: ['compute.kilonova.dev/instance'] } }

      const answer = await ask(plane, api, { method: 'PATCH', path: `${INSTANCES}/accepted`, body })

      expect(await requesterOf(answer)).toBe('editor')
    })

    it('not on one that was there before the policy, until its spec is changed', async () => {
      const path = `${of('team-b')}/instances/early`
      const policy =
        '/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings/kilonova-requester'
      const binding = await ask(plane, {}, { method: 'GET', path: policy })
      await ask(plane, {}, { method: 'DELETE', path: policy })
      await expect
        .poll(async () => {
          await ask(plane, {}, { method: 'DELETE', path })
          return requesterOf(await put(`${of('team-b')}/instances`, instance('early')))
        })
        .toBeUndefined()
      const { metadata: _, ...rest } = z.looseObject({ metadata: z.unknown() }).parse(binding.body)
      await put(policy.slice(0, policy.lastIndexOf('/')), {
        ...rest,
        metadata: { name: 'kilonova-requester' },
      })

      const forge = {
        method: 'PATCH',
        path: `${path}?dryRun=All`,
        body: { metadata: { annotations: forged } },
      } as const
      await expect.poll(async () => requesterOf(await ask(plane, {}, forge))).toBeUndefined()
      const change = { method: 'PATCH', path, body: { spec: { metadata: { a: 'b' } } } } as const
      expect(await requesterOf(await ask(plane, {}, change))).toBe('admin')
    })
  })
})
