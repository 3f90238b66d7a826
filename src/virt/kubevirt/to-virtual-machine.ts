import { BuildAbortException } from '../../common/errors/guest.ts'
import type { OwnerReference } from '../../kube/resource.ts'
import type { GuestRef, GuestSpec } from '../driver.ts'
import { pinnedTo } from './affinity.ts'
import {
  HOST_ANNOTATION,
  HOST_LABEL,
  hostLabelValue,
  INSTANCE_UID_LABEL,
  REQUEST_ID_ANNOTATION,
} from './ownership.ts'
import { diskBusOf, firmwareOf, interfaceModelOf, machineOf, toKubeArchitecture } from './properties.ts'
import type { CloudInit, DataVolumeTemplate, Secret, VirtualMachine, Volume } from './resources.ts'

/** Where and for which request a guest is made. */
export interface Placement {
  readonly host: string
  /** The host's architecture in Nova's words: what an image is taken for that names none. */
  readonly architecture: string
  readonly requestId: string
  /**
   * How long KubeVirt lets a guest that was asked to shut down go on. The agent counts its own timeout and
   * then forces the guest off, so this is only what comes after an agent that never came back.
   */
  readonly terminationGracePeriodSeconds: number
}

/** The volumes of every guest. */
export const ROOT = 'root'
export const CLOUD_INIT = 'cloud-init'
const NETWORK = 'default'

/** The VirtualMachine that a guest is on this host. Pure; throws BuildAbortException for what KubeVirt cannot do. */
export function toVirtualMachine(guest: GuestSpec, placement: Placement): VirtualMachine {
  const labels = {
    'app.kubernetes.io/managed-by': 'kilonova',
    [INSTANCE_UID_LABEL]: guest.uid,
    [HOST_LABEL]: hostLabelValue(placement.host),
  }
  const annotations = { [REQUEST_ID_ANNOTATION]: placement.requestId }
  const dataVolume = dataVolumeOf(guest)
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: {
      namespace: guest.namespace,
      name: guest.name,
      labels,
      annotations,
      ownerReferences: [ownerReferenceTo(guest)],
    },
    spec: {
      // The guest is started and stopped by request alone: one that shuts itself down stays off, as in Nova.
      runStrategy: 'Manual',
      ...(dataVolume && { dataVolumeTemplates: [dataVolume] }),
      template: { metadata: { labels, annotations }, spec: machineSpecOf(guest, placement) },
    },
  }
}

function machineSpecOf(guest: GuestSpec, placement: Placement): VirtualMachine['spec']['template']['spec'] {
  const architecture = guest.properties.hw_architecture ?? placement.architecture
  const bus = diskBusOf(guest)
  const model = interfaceModelOf(guest)
  return {
    architecture: toKubeArchitecture(architecture),
    hostname: guest.hostname,
    // A drain then asks us to move the guest, instead of KubeVirt doing so behind the scheduler's back.
    evictionStrategy: 'External',
    terminationGracePeriodSeconds: placement.terminationGracePeriodSeconds,
    affinity: pinnedTo(placement.host),
    domain: {
      // Nova's default topology; KubeVirt can add sockets, and only sockets, to a running guest.
      cpu: { sockets: guest.vcpus, cores: 1, threads: 1 },
      memory: { guest: `${guest.memoryMb}Mi` },
      machine: { type: machineOf(guest, architecture) },
      firmware: { uuid: guest.uid, serial: guest.uid, ...firmwareOf(guest) },
      devices: {
        disks: [
          { name: ROOT, disk: { bus }, bootOrder: 1 },
          { name: CLOUD_INIT, disk: { bus } },
        ],
        interfaces: [{ name: NETWORK, ...(model !== undefined && { model }), masquerade: {} }],
      },
    },
    networks: [{ name: NETWORK, pod: {} }],
    volumes: [rootVolumeOf(guest), cloudInitVolumeOf(guest, placement.host)],
  }
}

/** To the instance that all of a guest's objects belong to. */
export function ownerReferenceTo(guest: GuestRef): OwnerReference {
  return {
    apiVersion: 'compute.kilonova.dev/v1alpha1',
    kind: 'Instance',
    name: guest.name,
    uid: guest.uid,
    controller: true,
    blockOwnerDeletion: false,
  }
}

function rootVolumeOf(guest: GuestSpec): Volume {
  const { disk } = guest
  switch (disk.kind) {
    case 'containerDisk':
      return { name: ROOT, containerDisk: { image: disk.image } }
    case 'persistentVolumeClaim':
      return { name: ROOT, persistentVolumeClaim: { claimName: disk.claimName } }
    case 'dataVolume':
      return { name: ROOT, dataVolume: { name: dataVolumeNameOf(guest) } }
  }
}

function dataVolumeOf(guest: GuestSpec): DataVolumeTemplate | undefined {
  const { disk, diskGb } = guest
  if (disk.kind !== 'dataVolume') return undefined
  if (diskGb === 0 && !('pvc' in disk.source) && !('snapshot' in disk.source)) {
    const reason = 'a disk that is imported needs a flavor that says its size'
    throw new BuildAbortException({ instance: guest.uid, reason })
  }
  return {
    metadata: { name: dataVolumeNameOf(guest) },
    spec: {
      source: disk.source,
      storage: {
        ...(disk.storageClassName !== undefined && { storageClassName: disk.storageClassName }),
        ...(diskGb > 0 && { resources: { requests: { storage: `${diskGb}Gi` } } }),
      },
    },
  }
}

/** With a part of the uid: the disk of a deleted namesake may still be going away. */
function dataVolumeNameOf(guest: GuestSpec): string {
  return `${guest.name}-root-${guest.uid.slice(0, 8)}`
}

export function cloudInitVolumeOf(guest: GuestSpec, host: string): Volume {
  const source = cloudInitOf(guest, host)
  return guest.properties.img_config_drive === 'mandatory'
    ? { name: CLOUD_INIT, cloudInitConfigDrive: source }
    : { name: CLOUD_INIT, cloudInitNoCloud: source }
}

/** Without user data an empty document: the guest still learns its name and id, as from Nova's metadata. */
function cloudInitOf(guest: GuestSpec, host: string): CloudInit {
  const secret =
    guest.userDataSecret ?? (guest.userData === undefined ? undefined : userDataSecretNameOf(guest, host))
  return secret === undefined ? { userData: '#cloud-config\n' } : { secretRef: { name: secret } }
}

/**
 * The Secret we keep an instance's user data in. The uid makes it this instance's, the host makes it this agent's: what
 * the agent of another host left, or was made to leave, is not taken for ours.
 */
export function userDataSecretNameOf(guest: Pick<GuestSpec, 'uid'>, host: string): string {
  return `kilonova-user-data-${guest.uid}-${hostLabelValue(host)}`
}

/**
 * The Secret with the user data, when the instance carries it itself: KubeVirt takes no more than 2048 bytes in
 * the VM. It belongs to the instance and not to the VM, because it must be there first and because a VM of the
 * next attempt may want it while the garbage collector clears away after the last one.
 */
export function toUserDataSecret(guest: GuestSpec, host: string): Secret | undefined {
  const { userData, userDataSecret } = guest
  if (userData === undefined || userDataSecret !== undefined) return undefined
  return secretOf(guest, host, { name: userDataSecretNameOf(guest, host), userdata: userData })
}

/** What is written on trial, and never kept, to learn whether the user's own Secret is there: nobody may read it. */
export function toUserDataProbe(guest: GuestSpec, host: string): Secret | undefined {
  const { userDataSecret: name } = guest
  return name === undefined ? undefined : secretOf(guest, host, { name, userdata: '' })
}

function secretOf(guest: GuestSpec, host: string, content: { name: string; userdata: string }): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      namespace: guest.namespace,
      name: content.name,
      labels: {
        'app.kubernetes.io/managed-by': 'kilonova',
        [INSTANCE_UID_LABEL]: guest.uid,
        [HOST_LABEL]: hostLabelValue(host),
      },
      annotations: { [HOST_ANNOTATION]: host },
      ownerReferences: [ownerReferenceTo(guest)],
    },
    type: 'Opaque',
    immutable: true,
    data: { userdata: content.userdata },
  }
}
