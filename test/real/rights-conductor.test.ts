import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { serviceContext } from '../../src/common/context.ts'
import { SystemClock } from '../../src/common/clock.ts'
import { HttpKubeClient } from '../../src/kube/http-client.ts'
import { loadKubeConfig } from '../../src/kube/kube-config.ts'
import { captureLog } from '../../src/testing/log-capture.ts'
import { KubeVirtGuestAssignment } from '../../src/virt/kubevirt/assignment.ts'
import type { VirtualMachine } from '../../src/virt/kubevirt/resources.ts'
import { KubeVirtSnapshotOwnership } from '../../src/virt/kubevirt/snapshot-ownership.ts'
import { eventually } from '../scenarios/eventually.ts'
import { Installation } from './installation.ts'
import { type ControlPlane, startControlPlane } from './parts/control-plane.ts'
import { installKubeVirtCrds } from './parts/crds.ts'
import { makeVm, vmsOf } from './rights-objects.ts'
import { type Answer, ask, type Asked, bearer } from './requests.ts'
import { setupNeeded } from './setup-needed.ts'

const needed = setupNeeded('helm', 'kubectl')
if (needed !== undefined) console.log(needed)

const VMS = vmsOf('default')
const VMIS = '/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances'
const PODS = '/api/v1/namespaces/default/pods'
const UID = 'compute.kilonova.dev/instance-uid'

const SNAPSHOTS = '/apis/snapshot.kubevirt.io/v1beta1/namespaces/default/virtualmachinesnapshots'

function makeSnapshot(name: string, labels: Record<string, string>): object {
  const source = { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'web' }
  return {
    apiVersion: 'snapshot.kubevirt.io/v1beta1',
    kind: 'VirtualMachineSnapshot',
    metadata: { name, labels },
    spec: { source },
  }
}

/** A change of whose a snapshot is. */
function ownedBy(change: Record<string, string>): object {
  const apiVersion = 'compute.kilonova.dev/v1alpha1'
  const owner = { apiVersion, kind: 'Image', name: 'copy', uid: 'uid-of-copy', ...change }
  return { metadata: { ownerReferences: [owner] } }
}

function makeVmi(name: string, labels: Record<string, string>): object {
  const { apiVersion, spec } = makeVm(name, 'node-1')
  return { apiVersion, kind: 'VirtualMachineInstance', metadata: { name, labels }, spec: spec.template.spec }
}

function makePod(name: string, labels: Record<string, string>): object {
  const spec = { nodeName: 'node-1', containers: [{ name: 'compute', image: 'launcher' }] }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels }, spec }
}

describe.skipIf(needed !== undefined)('the conductor', () => {
  const clock = new SystemClock()
  let plane: ControlPlane
  let token = ''

  beforeAll(async () => {
    plane = await startControlPlane()
    await installKubeVirtCrds(plane)
    const installation = await Installation.apply(plane)
    token = await installation.token('conductor')
    await put('/api/v1/namespaces/default/serviceaccounts', {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default' },
    })
    await put(VMS, makeVm('web', 'node-1'))
    await put(VMS, makeVm('foreign', 'node-1', { metadata: { ownerReferences: [] } }))
    await put(VMIS, makeVmi('web', { [UID]: 'uid-of-web' }))
    await put(VMIS, makeVmi('foreign', {}))
    await put(PODS, makePod('virt-launcher-web', { 'kubevirt.io': 'virt-launcher', [UID]: 'uid-of-web' }))
    await put(PODS, makePod('virt-launcher-foreign', { 'kubevirt.io': 'virt-launcher' }))
    await put(PODS, makePod('database', { [UID]: 'uid-of-web' }))
    await put(SNAPSHOTS, makeSnapshot('copy', { [UID]: 'uid-of-web' }))
    await put(SNAPSHOTS, makeSnapshot('foreign', {}))
    await eventually('the policy is at work', async () => {
      const { message } = await byConductor({ method: 'DELETE', path: `${PODS}/database?dryRun=All` })
      return message.includes('conductor-guests')
    })
  })
  afterAll(() => plane?.stop())

  async function put(path: string, body: object): Promise<void> {
    const { status, message } = await ask(plane, {}, { method: 'POST', path, body })
    // Kubernetes may have made the ServiceAccount itself.
    if (status !== 201 && status !== 409) throw new Error(message)
  }

  async function byConductor(asked: Asked): Promise<Answer> {
    return ask(plane, bearer(token), asked)
  }

  it.each<{ what: string; says: string; asked: Asked }>([
    {
      what: 'changes no VM that is not Kilonova’s',
      asked: { method: 'PATCH', path: `${VMS}/foreign`, body: { metadata: { labels: { a: 'b' } } } },
      says: 'only VirtualMachines that an Instance owns',
    },
    {
      what: 'gives no VM to another owner',
      asked: { method: 'PATCH', path: `${VMS}/web`, body: { metadata: { ownerReferences: null } } },
      says: 'only VirtualMachines that an Instance owns',
    },
    {
      what: 'changes no disk',
      asked: { method: 'PATCH', path: `${VMS}/web`, body: { spec: { template: { spec: { volumes: [] } } } } },
      says: 'changes where a VirtualMachine may run, and not what it is',
    },
    {
      what: 'changes no size',
      asked: {
        method: 'PATCH',
        path: `${VMS}/web`,
        body: { spec: { template: { spec: { domain: { cpu: { sockets: 64 } } } } } },
      },
      says: 'changes where a VirtualMachine may run, and not what it is',
    },
    {
      what: 'starts no VM by itself',
      asked: { method: 'PATCH', path: `${VMS}/web`, body: { spec: { runStrategy: 'Always' } } },
      says: 'changes where a VirtualMachine may run, and not what it is',
    },
    {
      what: 'removes no guest that is not Kilonova’s',
      asked: { method: 'DELETE', path: `${VMIS}/foreign` },
      says: 'removes guests of Kilonova alone',
    },
    {
      what: 'removes no launcher of others',
      asked: { method: 'DELETE', path: `${PODS}/virt-launcher-foreign` },
      says: 'only the Pods that guests of Kilonova run in',
    },
    {
      what: 'removes no other Pod',
      asked: { method: 'DELETE', path: `${PODS}/database` },
      says: 'only the Pods that guests of Kilonova run in',
    },
    {
      what: 'gives no snapshot to what is no Image',
      asked: { method: 'PATCH', path: `${SNAPSHOTS}/copy`, body: ownedBy({ kind: 'Instance' }) },
      says: 'has a snapshot of Kilonova go with the Image of its name',
    },
    {
      what: 'gives no snapshot to the Image of another',
      asked: { method: 'PATCH', path: `${SNAPSHOTS}/copy`, body: ownedBy({ name: 'golden' }) },
      says: 'has a snapshot of Kilonova go with the Image of its name',
    },
    {
      what: 'gives away no snapshot that is not Kilonova’s',
      asked: { method: 'PATCH', path: `${SNAPSHOTS}/foreign`, body: ownedBy({ name: 'foreign' }) },
      says: 'has a snapshot of Kilonova go with the Image of its name',
    },
    {
      what: 'removes no snapshot',
      asked: { method: 'DELETE', path: `${SNAPSHOTS}/copy` },
      says: 'has a snapshot of Kilonova go with the Image of its name',
    },
    {
      what: 'changes nothing else of a snapshot',
      asked: { method: 'PATCH', path: `${SNAPSHOTS}/copy`, body: { metadata: { labels: { [UID]: null } } } },
      says: 'and changes nothing else of one',
    },
    {
      what: 'changes nothing of what a snapshot is of',
      asked: { method: 'PATCH', path: `${SNAPSHOTS}/copy`, body: { spec: { failureDeadline: '1s' } } },
      says: 'and changes nothing else of one',
    },
  ])('$what', async ({ asked, says }) => {
    const { status, message } = await byConductor(asked)

    expect(message).toContain("ValidatingAdmissionPolicy 'kilonova-conductor-guests'")
    expect(message).toContain(says)
    expect(status).toBe(422)
  })

  it('has a snapshot go with its Image', async () => {
    const config = loadKubeConfig({ path: plane.kubeconfigPath })
    const user = { kind: 'static', headers: bearer(token) } as const
    const client = HttpKubeClient.fromKubeConfig({ ...config, user }, { clock })
    const ownership = new KubeVirtSnapshotOwnership({ client, clock, log: captureLog().log })
    const guest = { namespace: 'default', name: 'web', uid: 'uid-of-web' }
    const image = {
      apiVersion: 'compute.kilonova.dev/v1alpha1',
      kind: 'Image',
      name: 'copy',
      uid: 'uid-of-copy',
    }

    await ownership.giveTo(serviceContext('req-1'), guest, 'copy', image)

    const { body } = await ask(plane, {}, { method: 'GET', path: `${SNAPSHOTS}/copy` })
    expect(body).toMatchObject({ metadata: { ownerReferences: [image] } })
    await client.close()
  })

  it('assigns a guest, lets it move, makes it nobody’s, and takes it away from a dead host', async () => {
    const ctx = serviceContext('req-1')
    const config = loadKubeConfig({ path: plane.kubeconfigPath })
    const user = { kind: 'static', headers: bearer(token) } as const
    const client = HttpKubeClient.fromKubeConfig({ ...config, user }, { clock })
    const assignment = new KubeVirtGuestAssignment({ client, clock, log: captureLog().log })
    const guest = { namespace: 'default', name: 'web', uid: 'uid-of-web' }

    await assignment.allowMove(ctx, guest, 'node-2')
    await assignment.assign(ctx, guest, 'node-2')
    await assignment.assign(ctx, guest, undefined)
    await assignment.takeAway(ctx, guest, 'node-3', { byForce: true })

    const { body } = await ask(plane, {}, { method: 'GET', path: `${VMS}/web` })
    expect((body as unknown as VirtualMachine).metadata.labels?.['compute.kilonova.dev/host']).toBe('node-3')
    for (const path of [`${VMIS}/web`, `${PODS}/virt-launcher-web`]) {
      expect(await ask(plane, {}, { method: 'GET', path })).toMatchObject({ status: 404 })
    }
    await client.close()
  })
})
