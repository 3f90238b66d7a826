import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Installation } from './installation.ts'
import { type ControlPlane, startControlPlane } from './parts/control-plane.ts'
import { installKubeVirtCrds } from './parts/crds.ts'
import { type Answer, ask, type Asked, bearer } from './requests.ts'
import { makeVm, vmsOf } from './rights-objects.ts'
import { setupNeeded } from './setup-needed.ts'

const needed = setupNeeded('helm', 'kubectl')
if (needed !== undefined) console.log(needed)

const VMS = vmsOf('default')
const VMIS = '/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances'
const MIGRATIONS = '/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstancemigrations'
const SNAPSHOTS = '/apis/snapshot.kubevirt.io/v1beta1/namespaces/default/virtualmachinesnapshots'
const CLAIMS = '/api/v1/namespaces/default/persistentvolumeclaims'
const IMAGES = '/apis/compute.kilonova.dev/v1alpha1/images'
const RUN = { status: { stateChangeRequests: [{ action: 'Start' }] } }

const instanceOf = (name: string) => ({
  apiVersion: 'compute.kilonova.dev/v1alpha1',
  kind: 'Instance',
  name,
  uid: `uid-of-${name}`,
  controller: true,
})
const labels = (host: string) => ({ 'compute.kilonova.dev/host': host })
const migration = (vmiName: string, host: string, owner = vmiName) => ({
  apiVersion: 'kubevirt.io/v1',
  kind: 'VirtualMachineInstanceMigration',
  metadata: { name: `move-${vmiName}-${host}`, labels: labels(host), ownerReferences: [instanceOf(owner)] },
  spec: { vmiName },
})
const snapshot = (host: string, source: object = { kind: 'VirtualMachine', name: 'ours' }) => ({
  apiVersion: 'snapshot.kubevirt.io/v1beta1',
  kind: 'VirtualMachineSnapshot',
  metadata: { name: 'copy', labels: labels(host) },
  spec: { source: { apiGroup: 'kubevirt.io', ...source } },
})
const claim = (name: string, ownerKind: string) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: {
    name,
    ownerReferences: [
      { apiVersion: 'cdi.kubevirt.io/v1beta1', kind: ownerKind, name, uid: `uid-of-${name}` },
    ],
  },
  spec: { accessModes: ['ReadWriteMany'], resources: { requests: { storage: '1Gi' } } },
})
const pinnedTo = (...hosts: readonly string[]) => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: hosts.map((host) => ({
        matchFields: [{ key: 'metadata.name', operator: 'In', values: [host] }],
      })),
    },
  },
})
const affinityPatch = (...hosts: readonly string[]) => ({
  spec: { template: { spec: { affinity: pinnedTo(...hosts) } } },
})
const pod = (name: string, podLabels: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: podLabels },
  spec: { serviceAccountName: 'kilonova-compute', containers: [{ name: 'compute', image: 'launcher' }] },
})
const image = (spec: object) => ({
  apiVersion: 'compute.kilonova.dev/v1alpha1',
  kind: 'Image',
  metadata: { name: 'copy' },
  spec,
})

describe.skipIf(needed !== undefined)('when a guest moves', () => {
  let plane: ControlPlane
  let tokens: Record<'node-1' | 'node-2' | 'conductor', string>

  beforeAll(async () => {
    plane = await startControlPlane()
    await installKubeVirtCrds(plane)
    const installation = await Installation.apply(plane)
    const [one, two, conductor] = await Promise.all([
      installation.token('compute', { node: 'node-1' }),
      installation.token('compute', { node: 'node-2' }),
      installation.token('conductor'),
    ])
    tokens = { 'node-1': one, 'node-2': two, conductor }
    const ours = makeVm('ours', 'node-1')
    await put(VMS, ours)
    await put(VMS, makeVm('moving', 'node-1', { orHost: 'node-2' }))
    await put(VMS, makeVm('foreign', 'node-1', { metadata: { ownerReferences: [] } }))
    await put(VMIS, {
      apiVersion: 'kubevirt.io/v1',
      kind: 'VirtualMachineInstance',
      metadata: { name: 'ours', namespace: 'default', labels: ours.spec.template.metadata?.labels },
      spec: ours.spec.template.spec,
    })
    await put(CLAIMS, claim('disk', 'DataVolume'))
    await put(CLAIMS, claim('database', 'StatefulSet'))
  })
  afterAll(() => plane?.stop())

  async function put(path: string, body: object): Promise<void> {
    const { status, message } = await ask(plane, {}, { method: 'POST', path, body })
    if (status !== 201) throw new Error(message)
  }

  async function by(who: keyof typeof tokens, asked: Asked): Promise<Answer> {
    const path = asked.method === 'GET' ? asked.path : `${asked.path}?dryRun=All`
    return ask(plane, bearer(tokens[who]), { ...asked, path })
  }

  describe('the agent of its node', () => {
    it.each<{ what: string; asked: Asked }>([
      { what: 'changes it', asked: { method: 'PATCH', path: `${VMS}/moving`, body: { spec: {} } } },
      { what: 'starts it', asked: { method: 'PATCH', path: `${VMS}/moving/status`, body: RUN } },
      { what: 'removes it', asked: { method: 'DELETE', path: `${VMS}/moving` } },
      {
        what: 'has KubeVirt move it',
        asked: { method: 'POST', path: MIGRATIONS, body: migration('moving', 'node-1') },
      },
      {
        what: 'has KubeVirt copy its disk',
        asked: { method: 'POST', path: SNAPSHOTS, body: snapshot('node-1') },
      },
      {
        what: 'writes to the claim of its disk',
        asked: {
          method: 'PATCH',
          path: `${CLAIMS}/disk`,
          body: { metadata: { labels: null } },
        },
      },
    ])('$what', async ({ asked }) => {
      expect(await by('node-1', asked)).toMatchObject({ message: '' })
    })

    it.each<{ what: string; who?: 'node-1' | 'node-2'; asked: Asked; says: string }>([
      {
        what: 'lets none of its guests move',
        asked: { method: 'PATCH', path: `${VMS}/ours`, body: affinityPatch('node-1', 'node-2') },
        says: 'only VirtualMachines that are pinned to its own node',
      },
      {
        what: 'sends none elsewhere than it was let',
        asked: { method: 'PATCH', path: `${VMS}/moving`, body: affinityPatch('node-1', 'node-3') },
        says: 'only VirtualMachines that are pinned to its own node',
      },
      {
        what: 'makes none that may move',
        asked: { method: 'POST', path: VMS, body: makeVm('new', 'node-1', { orHost: 'node-2' }) },
        says: 'only VirtualMachines that are pinned to its own node',
      },
      {
        what: 'takes none that is on its way here',
        who: 'node-2',
        asked: { method: 'PATCH', path: `${VMS}/moving`, body: { metadata: { labels: labels('node-2') } } },
        says: 'only what bears the label',
      },
      {
        what: 'asks for no migration in another’s name',
        asked: { method: 'POST', path: MIGRATIONS, body: migration('theirs', 'node-2') },
        says: 'only what bears the label',
      },
      {
        what: 'asks for no migration of another guest than its instance’s',
        asked: { method: 'POST', path: MIGRATIONS, body: migration('theirs', 'node-1', 'ours') },
        says: 'moves the guest of the Instance that owns the migration',
      },
      {
        what: 'takes no snapshot in another’s name',
        asked: { method: 'POST', path: SNAPSHOTS, body: snapshot('node-2') },
        says: 'only what bears the label',
      },
      {
        what: 'takes no snapshot of anything but a VirtualMachine',
        asked: {
          method: 'POST',
          path: SNAPSHOTS,
          body: snapshot('node-1', { apiGroup: '', kind: 'PersistentVolumeClaim', name: 'database' }),
        },
        says: 'takes snapshots of VirtualMachines alone',
      },
      {
        what: 'changes no claim that is no VirtualMachine’s',
        asked: { method: 'PATCH', path: `${CLAIMS}/database`, body: { metadata: { labels: null } } },
        says: 'may let the disk of a VirtualMachine grow, and change nothing else of a claim',
      },
      {
        what: 'changes no more of a claim than its size',
        asked: { method: 'PATCH', path: `${CLAIMS}/disk`, body: { metadata: { labels: { a: 'b' } } } },
        says: 'may let the disk of a VirtualMachine grow, and change nothing else of a claim',
      },
    ])('$what', async ({ who = 'node-1', asked, says }) => {
      const { status, message } = await by(who, asked)

      expect(message).toContain(says)
      expect(status).toBe(422)
    })
  })

  describe('the conductor', () => {
    it.each<{ what: string; asked: Asked }>([
      {
        what: 'gives a guest to another host',
        asked: {
          method: 'PATCH',
          path: `${VMS}/ours`,
          body: {
            metadata: { labels: labels('node-2') },
            spec: {
              template: { metadata: { labels: labels('node-2') }, spec: { affinity: pinnedTo('node-2') } },
            },
          },
        },
      },
      {
        what: 'tells the guest that runs',
        asked: { method: 'PATCH', path: `${VMIS}/ours`, body: { metadata: { labels: labels('node-2') } } },
      },
      { what: 'removes what runs on a dead host', asked: { method: 'DELETE', path: `${VMIS}/ours` } },
      {
        what: 'makes the image of a snapshot',
        asked: {
          method: 'POST',
          path: IMAGES,
          body: image({ dataVolume: { snapshot: { namespace: 'default', name: 'copy' } } }),
        },
      },
    ])('$what', async ({ asked }) => {
      expect(await by('conductor', asked)).toMatchObject({ message: '' })
    })

    it.each<{ what: string; asked: Asked; says: string }>([
      {
        what: 'takes no VM that is no instance’s',
        asked: { method: 'PATCH', path: `${VMS}/foreign`, body: affinityPatch('node-2') },
        says: 'touches the guests of Kilonova',
      },
      {
        what: 'puts no disk into a VM',
        asked: {
          method: 'PATCH',
          path: `${VMS}/ours`,
          body: {
            spec: { template: { spec: { volumes: [{ name: 's', secret: { secretName: 'password' } }] } } },
          },
        },
        says: 'where a VirtualMachine may run, and nothing else of it',
      },
      {
        what: 'adds nothing to a VM',
        asked: {
          method: 'PATCH',
          path: `${VMS}/ours`,
          body: { spec: { template: { spec: { nodeSelector: { a: 'b' } } } } },
        },
        says: 'where a VirtualMachine may run, and nothing else of it',
      },
      {
        what: 'does not say when a VM runs',
        asked: { method: 'PATCH', path: `${VMS}/ours`, body: { spec: { runStrategy: 'Always' } } },
        says: 'where a VirtualMachine may run, and nothing else of it',
      },
      {
        what: 'gives no VM another owner',
        asked: { method: 'PATCH', path: `${VMS}/ours`, body: { metadata: { ownerReferences: null } } },
        says: 'whose a guest is, and no other label or owner',
      },
      {
        what: 'changes no other label',
        asked: {
          method: 'PATCH',
          path: `${VMIS}/ours`,
          body: { metadata: { labels: { 'kubevirt.io/nodeName': 'node-2' } } },
        },
        says: 'whose a guest is, and no other label or owner',
      },
      {
        what: 'makes no image from elsewhere',
        asked: { method: 'POST', path: IMAGES, body: image({ containerDisk: { image: 'quay.io/evil' } }) },
        says: 'makes images of snapshots, and no others',
      },
    ])('$what', async ({ asked, says }) => {
      const { status, message } = await by('conductor', asked)

      expect(message).toContain("ValidatingAdmissionPolicy 'kilonova-conductor-guests'")
      expect(message).toContain(says)
      expect(status).toBe(422)
    })

    it('removes the Pods of guests alone', async () => {
      const pods = '/api/v1/namespaces/kilonova-system/pods'
      const uid = { 'compute.kilonova.dev/instance-uid': 'uid-of-ours' }
      await put(pods, pod('launcher', { ...uid, 'kubevirt.io': 'virt-launcher' }))
      await put(pods, pod('other', uid))
      await put(pods, pod('anybody', { app: 'database' }))
      const remove = async (name: string): Promise<string> =>
        (await by('conductor', { method: 'DELETE', path: `${pods}/${name}` })).message

      expect(await remove('launcher')).toBe('')
      expect(await remove('other')).toContain('removes Pods that guests run in, and no others')
      expect(await remove('anybody')).toContain('touches the guests of Kilonova')
    })
  })
})
