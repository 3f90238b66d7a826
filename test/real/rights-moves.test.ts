import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Installation } from './installation.ts'
import { type ControlPlane, startControlPlane } from './parts/control-plane.ts'
import { installKubeVirtCrds } from './parts/crds.ts'
import { makeVm, vmsOf } from './rights-objects.ts'
import { type Answer, ask, type Asked, bearer } from './requests.ts'
import { setupNeeded } from './setup-needed.ts'

const needed = setupNeeded('helm', 'kubectl')
if (needed !== undefined) console.log(needed)

const VMS = vmsOf('default')
const MIGRATIONS = '/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstancemigrations'
const SNAPSHOTS = '/apis/snapshot.kubevirt.io/v1beta1/namespaces/default/virtualmachinesnapshots'
const CLAIMS = '/api/v1/namespaces/default/persistentvolumeclaims'
const DISK = 'web-root-0b0e6c4a'

function makeMigration(host: string, change: { metadata?: object; spec?: object } = {}): object {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstanceMigration',
    metadata: {
      name: 'move',
      labels: { 'compute.kilonova.dev/host': host },
      ownerReferences: makeVm('web', host).metadata.ownerReferences,
      ...change.metadata,
    },
    spec: { vmiName: 'web', ...change.spec },
  }
}

function makeSnapshot(host: string, change: { metadata?: object } = {}): object {
  return {
    apiVersion: 'snapshot.kubevirt.io/v1beta1',
    kind: 'VirtualMachineSnapshot',
    metadata: { name: 'copy', labels: { 'compute.kilonova.dev/host': host }, ...change.metadata },
    spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'web' } },
  }
}

function makeClaim(name: string): object {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, labels: { app: 'containerized-data-importer' } },
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'growing',
      volumeName: `volume-of-${name}`,
      resources: { requests: { storage: '1Gi' } },
    },
  }
}

const STORAGE = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'growing' },
  provisioner: 'example.org/disks',
  allowVolumeExpansion: true,
}
const larger = (storage: string): object => ({ spec: { resources: { requests: { storage } } } })

describe.skipIf(needed !== undefined)('the agent of a node that moves guests', () => {
  let plane: ControlPlane
  let token = ''

  beforeAll(async () => {
    plane = await startControlPlane()
    await installKubeVirtCrds(plane)
    const installation = await Installation.apply(plane)
    token = await installation.token('compute', { node: 'node-1' })
    await put(VMS, makeVm('moving', 'node-1', { orHost: 'node-2' }))
    await put(VMS, makeVm('nobodys', '', { host: 'nowhere.compute.kilonova.dev' }))
    await put(MIGRATIONS, makeMigration('node-2', { metadata: { name: 'theirs' } }))
    await put('/apis/storage.k8s.io/v1/storageclasses', STORAGE)
    for (const name of [DISK, 'data']) {
      await put(CLAIMS, makeClaim(name))
      const body = { status: { phase: 'Bound', capacity: { storage: '1Gi' } } }
      await ask(plane, {}, { method: 'PATCH', path: `${CLAIMS}/${name}/status`, body })
    }
  })
  afterAll(() => plane?.stop())

  async function put(path: string, body: object): Promise<void> {
    const { status, message } = await ask(plane, {}, { method: 'POST', path, body })
    if (status !== 201) throw new Error(message)
  }

  async function byAgent(asked: Asked): Promise<Answer> {
    return ask(plane, bearer(token), asked)
  }

  const affinity = makeVm('moving', 'node-1').spec.template.spec.affinity

  it.each<{ what: string; says: string; asked: Asked }>([
    {
      what: 'makes no migration for another node',
      asked: { method: 'POST', path: MIGRATIONS, body: makeMigration('node-2') },
      says: 'only what bears the label compute.kilonova.dev/host of its own node',
    },
    {
      what: 'makes no migration of no Instance',
      asked: {
        method: 'POST',
        path: MIGRATIONS,
        body: makeMigration('node-1', { metadata: { ownerReferences: [] } }),
      },
      says: 'only what one Instance owns',
    },
    {
      what: 'makes no migration of another guest',
      asked: {
        method: 'POST',
        path: MIGRATIONS,
        body: makeMigration('node-1', { spec: { vmiName: 'database' } }),
      },
      says: 'moves the guest of its Instance to another node of this cluster',
    },
    {
      what: 'sends no guest to another cluster',
      asked: {
        method: 'POST',
        path: MIGRATIONS,
        body: makeMigration('node-1', {
          spec: { sendTo: { connectURL: 'thief.example', migrationID: 'a' } },
        }),
      },
      says: 'moves the guest of its Instance to another node of this cluster',
    },
    {
      what: 'calls off no migration of another node',
      asked: { method: 'DELETE', path: `${MIGRATIONS}/theirs` },
      says: 'only what bears the label',
    },
    {
      what: 'takes no snapshot in the name of another node',
      asked: { method: 'POST', path: SNAPSHOTS, body: makeSnapshot('node-2') },
      says: 'only what bears the label',
    },
    {
      what: 'takes no snapshot in a namespace of the system',
      asked: {
        method: 'POST',
        path: SNAPSHOTS.replace('default', 'kube-system'),
        body: makeSnapshot('node-1'),
      },
      says: 'an agent makes nothing in namespace kube-system',
    },
    {
      what: 'makes no claim larger that is no root disk',
      asked: { method: 'PATCH', path: `${CLAIMS}/data`, body: larger('2Gi') },
      says: 'larger, and changes no other and nothing else',
    },
    {
      what: 'changes nothing else of a claim',
      asked: {
        method: 'PATCH',
        path: `${CLAIMS}/${DISK}`,
        body: { metadata: { ownerReferences: makeVm('web', 'node-1').metadata.ownerReferences } },
      },
      says: 'larger, and changes no other and nothing else',
    },
    {
      what: 'does not pin a guest that moves to itself alone',
      asked: { method: 'PATCH', path: `${VMS}/moving`, body: { spec: { template: { spec: { affinity } } } } },
      says: 'only VirtualMachines that are pinned to its own node',
    },
    {
      what: 'takes no guest that is nobody’s',
      asked: {
        method: 'PATCH',
        path: `${VMS}/nobodys`,
        body: { metadata: { labels: { 'compute.kilonova.dev/host': 'node-1' } } },
      },
      says: 'only what bears the label',
    },
  ])('$what', async ({ asked, says }) => {
    const { status, message } = await byAgent(asked)

    expect(message).toContain("ValidatingAdmissionPolicy 'kilonova-agent-own-node'")
    expect(message).toContain(says)
    expect(status).toBe(422)
  })

  it.each<{ what: string; asked: Asked; status: number }>([
    {
      what: 'moves a guest of its own',
      asked: { method: 'POST', path: MIGRATIONS, body: makeMigration('node-1') },
      status: 201,
    },
    { what: 'calls that off', asked: { method: 'DELETE', path: `${MIGRATIONS}/move` }, status: 200 },
    {
      what: 'takes a snapshot',
      asked: { method: 'POST', path: SNAPSHOTS, body: makeSnapshot('node-1') },
      status: 201,
    },
    {
      what: 'stops a guest that is allowed to move',
      asked: {
        method: 'PATCH',
        path: `${VMS}/moving/status`,
        body: { status: { stateChangeRequests: [{ action: 'Stop', uid: 'a' }] } },
      },
      status: 200,
    },
    {
      what: 'removes a guest that is allowed to move',
      asked: { method: 'DELETE', path: `${VMS}/moving?dryRun=All` },
      status: 200,
    },
  ])('$what', async ({ asked, status: wanted }) => {
    const { status, message } = await byAgent(asked)

    expect({ status, message }).toEqual({ status: wanted, message: '' })
  })

  it('makes the claim of a root disk larger', async () => {
    const { status, message, body } = await byAgent({
      method: 'PATCH',
      path: `${CLAIMS}/${DISK}`,
      body: larger('2Gi'),
    })

    expect({ status, message }).toEqual({ status: 200, message: '' })
    expect(body).toMatchObject({ spec: { resources: { requests: { storage: '2Gi' } } } })
  })
})
