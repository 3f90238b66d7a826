import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SystemClock } from '../../src/common/clock.ts'
import type { AggregatedHandler } from '../../src/dev/apiserver/http.ts'
import { AggregatedApi } from '../../src/dev/kubevirt/aggregated-api.ts'
import { HttpKubeClient } from '../../src/kube/http-client.ts'
import { loadKubeConfig } from '../../src/kube/kube-config.ts'
import { captureLog } from '../../src/testing/log-capture.ts'
import { eventually } from '../scenarios/eventually.ts'
import { Installation } from './installation.ts'
import { type ControlPlane, startControlPlane } from './parts/control-plane.ts'
import { installKubeVirtCrds } from './parts/crds.ts'
import { makeRescueDisk, makeSecret, makeVm, secretsOf, vmsOf } from './rights-objects.ts'
import { type Answer, ask, type Asked, bearer } from './requests.ts'
import { setupNeeded } from './setup-needed.ts'

const needed = setupNeeded('helm', 'kubectl')
if (needed !== undefined) console.log(needed)

/** No label can hold it. */
const LONG = `${'n'.repeat(60)}.example.org`
const VMS = vmsOf('default')
const SECRETS = secretsOf('default')
const DISKS = '/apis/cdi.kubevirt.io/v1beta1/namespaces/default/datavolumes'

/** CDI's kind, without a schema. */
const DATA_VOLUMES = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'datavolumes.cdi.kubevirt.io' },
  spec: {
    group: 'cdi.kubevirt.io',
    scope: 'Namespaced',
    names: { kind: 'DataVolume', plural: 'datavolumes', singular: 'datavolume' },
    versions: [
      {
        name: 'v1beta1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}

/** As for a rescue. */
const RESCUED = {
  spec: {
    template: {
      spec: {
        domain: { devices: { disks: [{ name: 'rescue', disk: { bus: 'virtio' }, bootOrder: 1 }] } },
        volumes: [{ name: 'rescue', containerDisk: { image: 'quay.io/rescue' } }],
      },
    },
  },
}
const RUN = { status: { stateChangeRequests: [{ action: 'Start' }] } }

describe.skipIf(needed !== undefined)('the agent of a node', () => {
  let plane: ControlPlane
  let tokens: Record<'node-1' | 'node-2' | 'long' | 'none', string>

  beforeAll(async () => {
    plane = await startControlPlane()
    await installKubeVirtCrds(plane)
    const installation = await Installation.apply(plane)
    const [one = '', two = '', long = '', none = ''] = await Promise.all(
      ['node-1', 'node-2', LONG, undefined].map((node) => installation.token('compute', { node })),
    )
    tokens = { 'node-1': one, 'node-2': two, long, none }
    await put(VMS, makeVm('ours', 'node-1'))
    await put(VMS, makeVm('theirs', 'node-2'))
    await put(VMS, makeVm('foreign', 'node-1', { metadata: { ownerReferences: [] } }))
    await put(VMS, makeVm('moved', 'node-1', { host: 'node-2' }))
    await put(SECRETS, makeSecret('theirs', 'node-2'))
    await put(SECRETS, makeSecret('foreign', 'node-1', { metadata: { name: 'password' } }))
  })
  afterAll(() => plane?.stop())

  async function put(path: string, body: object): Promise<void> {
    const { status, message } = await ask(plane, {}, { method: 'POST', path, body })
    if (status !== 201) throw new Error(message)
  }

  async function by(who: keyof typeof tokens, asked: Asked): Promise<Answer> {
    return ask(plane, bearer(tokens[who]), asked)
  }

  it.each<{ what: string; body: object; path?: string; says: string }>([
    {
      what: 'for another node',
      body: makeVm('new', 'node-2'),
      says: 'the agent of node node-1 may touch only what bears the label compute.kilonova.dev/host of its own node',
    },
    {
      what: 'without the label of its node',
      body: makeVm('new', 'node-1', { metadata: { labels: {} } }),
      says: 'only what bears the label compute.kilonova.dev/host of its own node',
    },
    {
      what: 'that is pinned to another node',
      body: makeVm('new', 'node-1', { host: 'node-2' }),
      says: 'only VirtualMachines that are pinned to its own node',
    },
    {
      what: 'that may also run on another node',
      body: makeVm('new', 'node-1', { host: 'node-2', orHost: 'node-1' }),
      says: 'only VirtualMachines that are pinned to its own node',
    },
    {
      what: 'that is pinned nowhere',
      body: makeVm('new', 'node-1', { machine: { affinity: {} } }),
      says: 'only VirtualMachines that are pinned to its own node',
    },
    {
      what: 'of no Instance',
      body: makeVm('new', 'node-1', { metadata: { ownerReferences: [] } }),
      says: 'only what one Instance owns',
    },
    {
      what: 'of an Instance of another name',
      body: makeVm('new', 'node-1', { metadata: { name: 'newer' } }),
      says: 'a VirtualMachine bears the name of its Instance',
    },
    {
      what: 'whose guest bears the label of another node',
      body: makeVm('new', 'node-1', { guestLabels: { 'compute.kilonova.dev/host': 'node-2' } }),
      says: 'and its guest the label of its host',
    },
    {
      what: 'that mounts a Secret',
      body: makeVm('new', 'node-1', {
        machine: { volumes: [{ name: 's', secret: { secretName: 'password' } }] },
      }),
      says: 'mounts nothing else',
    },
    {
      what: 'that mounts the token of a ServiceAccount',
      body: makeVm('new', 'node-1', {
        machine: { volumes: [{ name: 's', serviceAccount: { serviceAccountName: 'default' } }] },
      }),
      says: 'mounts nothing else',
    },
    {
      what: 'that is given credentials from a Secret',
      body: makeVm('new', 'node-1', {
        machine: {
          accessCredentials: [
            {
              userPassword: {
                source: { secret: { secretName: 'password' } },
                propagationMethod: { qemuGuestAgent: {} },
              },
            },
          ],
        },
      }),
      says: 'mounts nothing else',
    },
    ...['kube-system', 'kilonova-system'].map((namespace) => ({
      what: `in ${namespace}`,
      path: vmsOf(namespace),
      body: makeVm('new', 'node-1', { metadata: { namespace } }),
      says: `an agent makes nothing in namespace ${namespace}, which is no namespace for instances`,
    })),
  ])('makes no VirtualMachine $what', async ({ body, path = VMS, says }) => {
    const { status, message } = await by('node-1', { method: 'POST', path, body })

    expect(message).toContain("ValidatingAdmissionPolicy 'kilonova-agent-own-node'")
    expect(message).toContain(says)
    expect(status).toBe(422)
  })

  it.each<{ what: string; says: string; asked: Asked }>([
    {
      what: 'starts no VM of another node',
      asked: { method: 'PATCH', path: `${VMS}/theirs/status`, body: RUN },
      says: 'only what bears the label',
    },
    {
      what: 'removes no VM of another node',
      asked: { method: 'DELETE', path: `${VMS}/theirs` },
      says: 'only what bears the label',
    },
    {
      what: 'removes no VM that bears its label and is pinned elsewhere',
      asked: { method: 'DELETE', path: `${VMS}/moved` },
      says: 'only VirtualMachines that are pinned to its own node',
    },
    {
      what: 'starts no VM that is not Kilonova’s',
      asked: { method: 'PATCH', path: `${VMS}/foreign/status`, body: RUN },
      says: 'only what one Instance owns',
    },
    {
      what: 'removes no VM that is not Kilonova’s',
      asked: { method: 'DELETE', path: `${VMS}/foreign` },
      says: 'only what one Instance owns',
    },
    {
      what: 'changes no VM of another node',
      asked: { method: 'PATCH', path: `${VMS}/theirs`, body: RESCUED },
      says: 'only what bears the label',
    },
    {
      what: 'changes no VM that is not Kilonova’s',
      asked: { method: 'PATCH', path: `${VMS}/foreign`, body: RESCUED },
      says: 'only what one Instance owns',
    },
    {
      what: 'gives no VM of its own to another node',
      asked: {
        method: 'PATCH',
        path: `${VMS}/ours`,
        body: { metadata: { labels: { 'compute.kilonova.dev/host': 'node-2' } } },
      },
      says: 'only what bears the label',
    },
    {
      what: 'has no VM of its own run anywhere',
      asked: {
        method: 'PATCH',
        path: `${VMS}/ours`,
        body: { spec: { template: { spec: { affinity: null } } } },
      },
      says: 'only VirtualMachines that are pinned to its own node',
    },
    {
      what: 'puts no Secret into a VM of its own',
      asked: {
        method: 'PATCH',
        path: `${VMS}/ours`,
        body: {
          spec: {
            template: { spec: { volumes: [{ name: 'root', secret: { secretName: 'password' } }] } },
          },
        },
      },
      says: 'mounts nothing else',
    },
    {
      what: 'removes no Secret of another node',
      asked: { method: 'DELETE', path: `${SECRETS}/${makeSecret('theirs', 'node-2').metadata.name}` },
      says: 'only what bears the label',
    },
    {
      what: 'removes no Secret that holds no user data',
      asked: { method: 'DELETE', path: `${SECRETS}/password` },
      says: 'only Secrets with the user data of an Instance',
    },
  ])('$what', async ({ asked, says }) => {
    const { status, message } = await by('node-1', asked)

    expect(message).toContain(says)
    expect(status).toBe(422)
  })

  it.each<{ what: string; body: object; says: string }>([
    { what: 'for another node', body: makeSecret('new', 'node-2'), says: 'only what bears the label' },
    {
      what: 'with the whole name of another node',
      body: makeSecret('new', 'node-1', {
        metadata: { annotations: { 'compute.kilonova.dev/host': 'node-2' } },
      }),
      says: 'only Secrets whose annotation compute.kilonova.dev/host is its own node',
    },
    {
      what: 'of no Instance',
      body: makeSecret('new', 'node-1', { metadata: { ownerReferences: [] } }),
      says: 'only what one Instance owns',
    },
    {
      what: 'of another name',
      body: makeSecret('new', 'node-1', { metadata: { name: 'password-2' } }),
      says: 'named kilonova-user-data-, its uid and its host',
    },
    {
      what: 'of another type',
      body: makeSecret('new', 'node-1', {
        type: 'kubernetes.io/basic-auth',
        data: { username: 'YQ==', password: 'YQ==' },
      }),
      says: 'is Opaque and holds user data alone',
    },
    {
      what: 'with anything but user data',
      body: makeSecret('new', 'node-1', { data: { userdata: 'YQ==', more: 'YQ==' } }),
      says: 'is Opaque and holds user data alone',
    },
  ])('makes no Secret $what', async ({ body, says }) => {
    const { status, message } = await by('node-1', { method: 'POST', path: SECRETS, body })

    expect(message).toContain(says)
    expect(status).toBe(422)
  })

  it.each<{ what: string; asked: Asked }>([
    { what: 'makes a VM', asked: { method: 'POST', path: VMS, body: makeVm('new', 'node-1') } },
    { what: 'makes a Secret', asked: { method: 'POST', path: SECRETS, body: makeSecret('new', 'node-1') } },
    { what: 'starts a VM', asked: { method: 'PATCH', path: `${VMS}/ours/status`, body: RUN } },
    { what: 'changes a VM', asked: { method: 'PATCH', path: `${VMS}/ours`, body: RESCUED } },
    { what: 'removes a VM', asked: { method: 'DELETE', path: `${VMS}/ours?dryRun=All` } },
  ])('$what only with a token that names its node', async ({ asked }) => {
    const { status, message } = await by('none', asked)

    expect(message).toContain("the token of Kilonova's compute agent names no node")
    expect(status).toBe(422)
  })

  it.each(['node-1', 'long'] as const)(
    'makes, starts, changes and removes the VMs and Secrets of its own node (%s)',
    async (who) => {
      const host = who === 'long' ? LONG : who
      const secret = makeSecret('mine', host)
      const secretPath = `${SECRETS}/${secret.metadata.name}`
      const answers = [
        await by(who, { method: 'POST', path: SECRETS, body: secret }),
        await by(who, { method: 'POST', path: VMS, body: makeVm('mine', host) }),
        await by(who, { method: 'PATCH', path: `${VMS}/mine/status`, body: RUN }),
        await by(who, { method: 'PATCH', path: `${VMS}/mine`, body: RESCUED }),
        await by(who, { method: 'DELETE', path: secretPath }),
        await by(who, { method: 'DELETE', path: `${VMS}/mine` }),
      ]

      expect(answers.map(({ status, message }) => [status, message])).toEqual(
        [201, 201, 200, 200, 200, 200].map((status) => [status, '']),
      )
    },
  )

  describe('of the disks of a rescue', () => {
    beforeAll(async () => {
      await put('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', DATA_VOLUMES)
      await eventually('DataVolumes are served', async () => {
        const { status } = await ask(plane, {}, { method: 'GET', path: DISKS })
        return status === 200
      })
      await put(DISKS, makeRescueDisk('ours', 'node-1'))
      await put(DISKS, makeRescueDisk('theirs', 'node-2'))
      await put(DISKS, makeRescueDisk('root', 'node-1', { name: 'root-root-uid-of-r' }))
      await put(DISKS, makeRescueDisk('foreign', 'node-1', { ownerReferences: [] }))
    })

    const remove = (name: string): Asked => ({ method: 'DELETE', path: `${DISKS}/${name}` })

    it('removes the one of its own node', async () => {
      expect(await by('node-1', remove('ours-rescue-uid-of-o'))).toMatchObject({ status: 200 })
    })

    it.each([
      {
        what: 'of another node',
        name: 'theirs-rescue-uid-of-t',
        says: 'only what bears the label compute.kilonova.dev/host of its own node',
      },
      { what: 'that an instance runs from', name: 'root-root-uid-of-r', says: 'removes no disk but the one' },
      { what: 'that no VM owns', name: 'foreign-rescue-uid-of-f', says: 'removes no disk but the one' },
    ])('removes none $what', async ({ name, says }) => {
      const { status, message } = await by('node-1', remove(name))

      expect(message).toContain(says)
      expect(status).toBe(422)
    })

    it('makes none', async () => {
      const body = makeRescueDisk('new', 'node-1')
      const { message } = await by('node-1', { method: 'POST', path: DISKS, body })

      expect(message).toContain('cannot create resource "datavolumes"')
    })
  })

  it('learns whether a Secret is there, and nothing more', async () => {
    const path = `${SECRETS}?dryRun=All`
    const probe = (name: string): object => makeSecret('new', 'node-1', { metadata: { name } })

    expect(await by('node-1', { method: 'POST', path, body: probe('nothing') })).toMatchObject({
      status: 201,
    })
    expect(await by('node-1', { method: 'POST', path, body: probe('password') })).toMatchObject({
      status: 409,
    })
    expect(await ask(plane, {}, { method: 'GET', path: `${SECRETS}/nothing` })).toMatchObject({ status: 404 })
  })

  it('cannot take a label off by way of the status', async () => {
    const metadata = { labels: { 'compute.kilonova.dev/host': 'node-2' } }

    await by('node-1', { method: 'PATCH', path: `${VMS}/ours/status`, body: { metadata } })

    const { body } = await ask(plane, {}, { method: 'GET', path: `${VMS}/ours` })
    expect(body).toMatchObject({ metadata: { labels: { 'compute.kilonova.dev/host': 'node-1' } } })
  })

  it('can force off and pause a VM of any node: admission is not asked about KubeVirt’s own API', async () => {
    await forbidEverything()
    const asked: string[] = []
    const api = await serveSubresources((path) => asked.push(path))
    const subresources = '/apis/subresources.kubevirt.io/v1/namespaces/default'
    const paths = [
      `${subresources}/virtualmachines/theirs/stop`,
      ...['pause', 'unpause', 'softreboot'].map(
        (action) => `${subresources}/virtualmachineinstances/theirs/${action}`,
      ),
    ]

    await eventually('KubeVirt is asked', async () => {
      for (const path of paths) await by('node-1', { method: 'PUT', path, body: {} })
      return paths.every((path) => asked.includes(path))
    })

    await api.stop()
  })

  /** Whatever an agent does, as far as admission sees it. */
  async function forbidEverything(): Promise<void> {
    const apiVersion = 'admissionregistration.k8s.io/v1'
    const metadata = { name: 'everything' }
    const rule = { apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*'] }
    const group = `/apis/${apiVersion}`
    await put(`${group}/validatingadmissionpolicies`, {
      apiVersion,
      kind: 'ValidatingAdmissionPolicy',
      metadata,
      spec: {
        matchConstraints: { resourceRules: [rule] },
        matchConditions: [{ name: 'agent', expression: "request.userInfo.username.endsWith('-compute')" }],
        validations: [{ expression: 'false', message: 'nothing at all' }],
      },
    })
    await put(`${group}/validatingadmissionpolicybindings`, {
      apiVersion,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata,
      spec: { policyName: 'everything', validationActions: ['Deny'] },
    })
    await eventually('nothing is allowed', async () => {
      const { message } = await by('node-1', { method: 'DELETE', path: `${VMS}/ours?dryRun=All` })
      return message.includes('nothing at all')
    })
  }

  async function serveSubresources(onAsked: (path: string) => void): Promise<{ stop(): Promise<void> }> {
    const clock = new SystemClock()
    const client = HttpKubeClient.fromKubeConfig(loadKubeConfig({ path: plane.kubeconfigPath }), { clock })
    const handle: AggregatedHandler = async (_method, path) => {
      onAsked(path)
      return { code: 202, body: {} }
    }
    const api = new AggregatedApi({ client, clock, log: captureLog().log }, { handle })
    await api.start()
    return {
      stop: async () => {
        await api.stop()
        await client.close()
      },
    }
  }
})
