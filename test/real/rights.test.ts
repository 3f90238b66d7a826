import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Account, Installation } from './installation.ts'
import { type ControlPlane, startControlPlane } from './parts/control-plane.ts'
import { installKubeVirtCrds } from './parts/crds.ts'
import { ask, type Asked, bearer } from './requests.ts'
import { makeVm, secretsOf, vmsOf } from './rights-objects.ts'
import { setupNeeded } from './setup-needed.ts'

const needed = setupNeeded('helm', 'kubectl')
if (needed !== undefined) console.log(needed)

const GROUP = '/apis/compute.kilonova.dev/v1alpha1'
const INSTANCES = `${GROUP}/namespaces/default/instances`
const ACTIONS = `${GROUP}/namespaces/default/instanceactions`
const OWN = 'kilonova-system'
const leases = (namespace: string): string => `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const ADMISSION = '/apis/admissionregistration.k8s.io/v1'
const REVIEWS = '/apis/authentication.k8s.io/v1/tokenreviews'
const configMaps = `/api/v1/namespaces/${OWN}/configmaps`

const VMIS = '/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances'
const MIGRATIONS = '/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstancemigrations'
const SNAPSHOTS = '/apis/snapshot.kubevirt.io/v1beta1/namespaces/default/virtualmachinesnapshots'
const CLAIMS = '/api/v1/namespaces/default/persistentvolumeclaims'
const SUBRESOURCES = '/apis/subresources.kubevirt.io/v1/namespaces/default'

const metadata = (name: string): object => ({ metadata: { name } })
const secret = (name: string): object => ({ apiVersion: 'v1', kind: 'Secret', ...metadata(name) })
const configMap = (name: string): object => ({ apiVersion: 'v1', kind: 'ConfigMap', ...metadata(name) })
const lease = (name: string): object => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  ...metadata(name),
})
const instance = {
  apiVersion: 'compute.kilonova.dev/v1alpha1',
  kind: 'Instance',
  ...metadata('web'),
  spec: { flavor: 'm1.tiny', image: 'cirros' },
}
const action = {
  apiVersion: 'compute.kilonova.dev/v1alpha1',
  kind: 'InstanceAction',
  ...metadata('web-create-1'),
  spec: {
    action: 'create',
    instance: 'web',
    instanceUid: 'u',
    requestId: 'req-1',
    user: 'alice',
    startTime: '2026-01-01T00:00:00Z',
  },
}
const flavor = {
  apiVersion: 'compute.kilonova.dev/v1alpha1',
  kind: 'Flavor',
  ...metadata('m1.nano'),
  spec: { vcpus: 1, memoryMb: 64, diskGb: 0 },
}
const image = {
  apiVersion: 'compute.kilonova.dev/v1alpha1',
  kind: 'Image',
  ...metadata('web-copy'),
  spec: { dataVolume: { snapshot: { namespace: 'default', name: 'web-copy' } } },
}
const event = {
  apiVersion: 'v1',
  kind: 'Event',
  ...metadata('web.1'),
  involvedObject: { namespace: 'default' },
}
const review = {
  apiVersion: 'authentication.k8s.io/v1',
  kind: 'TokenReview',
  spec: { token: 'x' },
}
const host = {
  apiVersion: 'compute.kilonova.dev/v1alpha1',
  kind: 'ComputeNode',
  ...metadata('node-1'),
  spec: {},
}

const get = (path: string): Asked => ({ method: 'GET', path })
const create = (path: string, body: object): Asked => ({ method: 'POST', path: `${path}?dryRun=All`, body })
const patch = (path: string, body: object = {}): Asked => ({
  method: 'PATCH',
  path: `${path}?dryRun=All`,
  body,
})
const remove = (path: string): Asked => ({ method: 'DELETE', path: `${path}?dryRun=All` })

/** What each must be refused, by what the API server calls it. */
const REFUSED: readonly (readonly [Account, string, Asked])[] = [
  ['api', 'get resource "secrets"', get(`${secretsOf('default')}/password`)],
  ['api', 'list resource "secrets"', get('/api/v1/secrets')],
  ['api', 'create resource "virtualmachines"', create(vmsOf('default'), makeVm('web', 'node-1'))],
  ['api', 'list resource "virtualmachines"', get('/apis/kubevirt.io/v1/virtualmachines')],
  ['api', 'create resource "instances"', create(INSTANCES, instance)],
  ['api', 'create resource "images"', create(`${GROUP}/images`, image)],
  ['api', 'patch resource "flavors"', patch(`${GROUP}/flavors/m1.nano`)],
  ['api', 'patch resource "computenodes/status"', patch(`${GROUP}/computenodes/node-1/status`)],
  ['api', 'create resource "leases"', create(leases('default'), lease('kilonova-api'))],
  ['api', 'get resource "leases"', get(`${leases(OWN)}/kilonova-scheduler`)],
  ['api', 'create resource "tokenreviews"', { method: 'POST', path: REVIEWS, body: review }],
  ['api', 'list resource "pods"', get('/api/v1/namespaces/default/pods')],
  ['scheduler', 'create resource "virtualmachines"', create(vmsOf('default'), makeVm('web', 'node-1'))],
  ['scheduler', 'patch resource "instances"', patch(`${INSTANCES}/web`)],
  ['scheduler', 'delete resource "instances"', remove(`${INSTANCES}/web`)],
  ['scheduler', 'create resource "instanceactions"', create(ACTIONS, action)],
  ['scheduler', 'create resource "computenodes"', create(`${GROUP}/computenodes`, host)],
  ['scheduler', 'patch resource "computenodes"', patch(`${GROUP}/computenodes/node-1`)],
  ['scheduler', 'patch resource "hostaggregates"', patch(`${GROUP}/hostaggregates/fast`)],
  ['scheduler', 'patch resource "nodes"', patch('/api/v1/nodes/node-1')],
  ['scheduler', 'get resource "secrets"', get(`${secretsOf('default')}/password`)],
  ['scheduler', 'get resource "leases"', get(`${leases(OWN)}/kilonova-api`)],
  ['conductor', 'delete resource "instances"', remove(`${INSTANCES}/web`)],
  ['conductor', 'create resource "instances"', create(INSTANCES, instance)],
  ['conductor', 'watch resource "instances"', get(`${GROUP}/instances?watch=true&timeoutSeconds=1`)],
  ['conductor', 'create resource "instanceactions"', create(ACTIONS, action)],
  ['conductor', 'list resource "instanceactions"', get(ACTIONS)],
  ['conductor', 'delete resource "computenodes"', remove(`${GROUP}/computenodes/node-1`)],
  ['conductor', 'patch resource "computenodes"', patch(`${GROUP}/computenodes/node-1`)],
  ['conductor', 'delete resource "virtualmachines"', remove(`${vmsOf('default')}/web`)],
  ['conductor', 'create resource "virtualmachines"', create(vmsOf('default'), makeVm('web', 'node-1'))],
  ['conductor', 'list resource "virtualmachines"', get('/apis/kubevirt.io/v1/virtualmachines')],
  ['conductor', 'patch resource "secrets"', patch(`${secretsOf('default')}/password`)],
  ['conductor', 'get resource "pods"', get('/api/v1/namespaces/default/pods/web')],
  ['conductor', 'get resource "pods/log"', get('/api/v1/namespaces/default/pods/web/log')],
  ['conductor', 'create resource "virtualmachinesnapshots"', create(SNAPSHOTS, {})],
  ['conductor', 'list resource "virtualmachinesnapshots"', get(SNAPSHOTS)],
  ['conductor', 'patch resource "images"', patch(`${GROUP}/images/cirros`)],
  ['conductor', 'delete resource "images"', remove(`${GROUP}/images/cirros`)],
  ['conductor', 'get resource "secrets"', get(`${secretsOf('default')}/password`)],
  ['conductor', 'create resource "leases"', create(leases(OWN), lease('any'))],
  ['compute', 'list resource "instances"', get(`${GROUP}/instances`)],
  ['compute', 'get resource "instances"', get(`${INSTANCES}/web`)],
  ['compute', 'patch resource "instances"', patch(`${INSTANCES}/web`)],
  ['compute', 'patch resource "instances/status"', patch(`${INSTANCES}/web/status`)],
  ['compute', 'create resource "instanceactions"', create(ACTIONS, action)],
  ['compute', 'patch resource "computenodes/status"', patch(`${GROUP}/computenodes/node-1/status`)],
  ['compute', 'get resource "secrets"', get(`${secretsOf('default')}/password`)],
  ['compute', 'list resource "secrets"', get('/api/v1/secrets')],
  ['compute', 'watch resource "secrets"', get('/api/v1/secrets?watch=true&timeoutSeconds=1')],
  ['compute', 'patch resource "secrets"', patch(`${secretsOf('default')}/password`)],
  [
    'compute',
    'delete resource "virtualmachineinstances"',
    remove('/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances/web'),
  ],
  [
    'compute',
    'get resource "virtualmachineinstances/console"',
    get(`${SUBRESOURCES}/virtualmachineinstances/web/console`),
  ],
  ['compute', 'get resource "persistentvolumeclaims"', get(`${CLAIMS}/disk`)],
  ['compute', 'delete resource "persistentvolumeclaims"', remove(`${CLAIMS}/disk`)],
  ['compute', 'patch resource "virtualmachineinstances"', patch(`${VMIS}/web`)],
  ['compute', 'patch resource "virtualmachineinstancemigrations"', patch(`${MIGRATIONS}/web`)],
  ['compute', 'delete resource "virtualmachinesnapshots"', remove(`${SNAPSHOTS}/web`)],
  ['compute', 'list resource "nodes"', get('/api/v1/nodes')],
  ['compute', 'patch resource "nodes"', patch('/api/v1/nodes/node-1')],
  ['compute', 'list resource "datavolumes"', get('/apis/cdi.kubevirt.io/v1beta1/datavolumes')],
  ['compute', 'watch resource "pods"', get('/api/v1/pods?watch=true&timeoutSeconds=1')],
  ['compute', 'delete resource "pods"', remove('/api/v1/namespaces/default/pods/web')],
  ['compute', 'get resource "pods/exec"', get('/api/v1/namespaces/default/pods/web/exec')],
  [
    'compute',
    'update resource "virtualmachines/restart"',
    { method: 'PUT', path: `${SUBRESOURCES}/virtualmachines/web/restart`, body: {} },
  ],
  ['compute', 'create resource "events"', create('/api/v1/namespaces/default/events', event)],
  ['nats-auth', 'get resource "secrets"', get(`${secretsOf(OWN)}/kilonova-nats-auth`)],
  ['nats-auth', 'list resource "instances"', get(`${GROUP}/instances`)],
  ['nats-auth', 'create resource "events"', create('/api/v1/namespaces/default/events', event)],
  ['nats-auth', 'list resource "pods"', get(`/api/v1/namespaces/${OWN}/pods`)],
  ['nats-auth', 'list resource "virtualmachines"', get('/apis/kubevirt.io/v1/virtualmachines')],
  ['nats-keys', 'get resource "secrets"', get(`${secretsOf(OWN)}/password`)],
  ['nats-keys', 'list resource "secrets"', get(secretsOf(OWN))],
  ['nats-keys', 'delete resource "secrets"', remove(`${secretsOf(OWN)}/kilonova-nats-auth`)],
  ['nats-keys', 'create resource "secrets"', create(secretsOf('default'), secret('kilonova-nats-auth'))],
  ['nats-keys', 'create resource "tokenreviews"', { method: 'POST', path: REVIEWS, body: review }],
  ['nats-renew', 'get resource "secrets"', get(`${secretsOf(OWN)}/kilonova-nats-auth`)],
  ['nats-renew', 'list resource "secrets"', get(secretsOf(OWN))],
  ['nats-renew', 'create resource "secrets"', create(secretsOf(OWN), secret('kilonova-nats-server'))],
  ['nats-renew', 'create resource "configmaps"', create(configMaps, configMap('kilonova-nats-ca'))],
  ['nats-renew', 'delete resource "secrets"', remove(`${secretsOf(OWN)}/kilonova-nats-server`)],
  ['nats-renew', 'list resource "pods"', get(`/api/v1/namespaces/${OWN}/pods`)],
  ['check', 'list resource "instances"', get(`${GROUP}/instances`)],
  ['check', 'list resource "secrets"', get('/api/v1/secrets')],
  ['check', 'create resource "flavors"', create(`${GROUP}/flavors`, flavor)],
  ['catalogue', 'list resource "flavors"', get(`${GROUP}/flavors`)],
  ['catalogue', 'delete resource "flavors"', remove(`${GROUP}/flavors/m1.nano`)],
  ['catalogue', 'create resource "instances"', create(INSTANCES, instance)],
]

/** What each needs; rights-scenarios.test.ts proves it for what the services do. */
const ALLOWED: readonly (readonly [Account, string, Asked, number])[] = [
  ['api', 'make its lease', create(leases(OWN), lease('kilonova-api')), 201],
  ['api', 'make a record', create(ACTIONS, action), 201],
  ['api', 'delete an instance', remove(`${INSTANCES}/web`), 404],
  ['api', 'look at the hosts', get(`${GROUP}/computenodes`), 200],
  ['scheduler', 'make its lease', create(leases(OWN), lease('kilonova-scheduler')), 201],
  ['scheduler', 'tell of events', create('/api/v1/namespaces/default/events', event), 201],
  ['scheduler', 'look at a host', get(`${GROUP}/computenodes/node-1`), 404],
  ['conductor', 'make a ComputeNode', create(`${GROUP}/computenodes`, host), 201],
  ['conductor', 'look for a VM', get(`${vmsOf('default')}/web`), 404],
  ['conductor', 'change a VM', patch(`${vmsOf('default')}/web`), 404],
  ['conductor', 'look for what runs', get(`${VMIS}/web`), 404],
  ['conductor', 'change what runs', patch(`${VMIS}/web`), 404],
  ['conductor', 'remove what runs', remove(`${VMIS}/web`), 404],
  ['conductor', 'look for launcher Pods', get('/api/v1/namespaces/default/pods'), 200],
  ['conductor', 'remove a launcher Pod', remove('/api/v1/namespaces/default/pods/web'), 404],
  ['conductor', 'look for a snapshot', get(`${SNAPSHOTS}/web`), 404],
  ['conductor', 'change a snapshot', patch(`${SNAPSHOTS}/web`), 404],
  ['conductor', 'make an image', create(`${GROUP}/images`, image), 201],
  ['compute', 'look for a migration', get(`${MIGRATIONS}/web`), 404],
  ['compute', 'follow migrations', get(`${MIGRATIONS}?watch=true&timeoutSeconds=1`), 200],
  ['compute', 'remove a migration', remove(`${MIGRATIONS}/web`), 404],
  ['compute', 'look for a snapshot', get(`${SNAPSHOTS}/web`), 404],
  ['compute', 'follow snapshots', get(`${SNAPSHOTS}?watch=true&timeoutSeconds=1`), 200],
  ['compute', 'make a claim larger', patch(`${CLAIMS}/web`), 404],
  ['compute', 'look for launcher Pods', get('/api/v1/namespaces/default/pods'), 200],
  ['compute', 'read the log of a Pod', get('/api/v1/namespaces/default/pods/web/log'), 404],
  ['nats-auth', 'ask whose a token is', { method: 'POST', path: REVIEWS, body: review }, 201],
  ['nats-keys', 'look for its Secret', get(`${secretsOf(OWN)}/kilonova-nats-auth`), 404],
  ['nats-keys', 'look for its other Secret', get(`${secretsOf(OWN)}/kilonova-nats-server`), 404],
  ['nats-keys', 'look for its ConfigMap', get(`${configMaps}/kilonova-nats-ca`), 404],
  ['nats-keys', 'make a Secret', create(secretsOf(OWN), secret('kilonova-nats-auth')), 201],
  ['nats-keys', 'make a ConfigMap', create(configMaps, configMap('kilonova-nats-ca')), 201],
  ['nats-renew', 'look for its Secret', get(`${secretsOf(OWN)}/kilonova-nats-server`), 404],
  ['nats-renew', 'look for its ConfigMap', get(`${configMaps}/kilonova-nats-ca`), 404],
  ['check', 'look at a definition', get(`${CRDS}/instances.compute.kilonova.dev`), 200],
  ['check', 'look at the policies', get(`${ADMISSION}/validatingadmissionpolicies`), 200],
  ['check', 'look at the policies that change', get(`${ADMISSION}/mutatingadmissionpolicies`), 200],
  ['check', 'look at the nodes', get('/api/v1/nodes'), 200],
  ['check', 'look at the hosts', get(`${GROUP}/computenodes`), 200],
  ['check', 'look for KubeVirt’s kinds', get('/apis/kubevirt.io/v1/virtualmachines?limit=1'), 200],
  ['catalogue', 'make a flavor', create(`${GROUP}/flavors`, flavor), 201],
]

describe.skipIf(needed !== undefined)('the rights of the services', () => {
  let plane: ControlPlane
  const tokens = new Map<Account, string>()

  beforeAll(async () => {
    plane = await startControlPlane()
    await installKubeVirtCrds(plane)
    const installation = await Installation.apply(plane, {
      values: { 'aggregatedRoles.catalogueForAll': 'false' },
    })
    const accounts = new Set([...REFUSED, ...ALLOWED].map(([account]) => account))
    for (const account of accounts) {
      const node = account === 'compute' ? 'node-1' : undefined
      tokens.set(account, await installation.token(account, { node }))
    }
  })
  afterAll(() => plane?.stop())

  it.each(REFUSED)('%s may not %s', async (account, what, asked) => {
    const { status, message } = await ask(plane, bearer(tokens.get(account) ?? ''), asked)

    const user = `User "system:serviceaccount:${OWN}:kilonova-${account}"`
    expect(message).toContain(`${user} cannot ${what}`)
    expect(status).toBe(403)
  })

  it.each(ALLOWED)('%s may %s', async (account, _what, asked, code) => {
    const { status, message } = await ask(plane, bearer(tokens.get(account) ?? ''), asked)

    expect({ status, message }).toMatchObject({ status: code, ...(code < 300 && { message: '' }) })
  })

  it('check may look at KubeVirt', async () => {
    const asked = get('/apis/kubevirt.io/v1/kubevirts')
    const { status, message } = await ask(plane, bearer(tokens.get('check') ?? ''), asked)

    // The stand-in for KubeVirt's definitions does not have this one.
    expect([200, 404], message).toContain(status)
  })
})
