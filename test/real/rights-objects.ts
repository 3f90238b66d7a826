import type { GuestSpec } from '../../src/virt/driver.ts'
import type { Secret, VirtualMachine } from '../../src/virt/kubevirt/resources.ts'
import { toRescueParts } from '../../src/virt/kubevirt/rescue-template.ts'
import { toUserDataSecret, toVirtualMachine } from '../../src/virt/kubevirt/to-virtual-machine.ts'

export const vmsOf = (namespace: string): string =>
  `/apis/kubevirt.io/v1/namespaces/${namespace}/virtualmachines`
export const secretsOf = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets`

function guestOf(name: string): GuestSpec {
  return {
    namespace: 'default',
    name,
    uid: `uid-of-${name}`,
    hostname: name,
    vcpus: 1,
    memoryMb: 64,
    diskGb: 0,
    disk: { kind: 'containerDisk', image: 'quay.io/cirros' },
    properties: {},
    userData: 'IyEK',
  }
}

/** The VM that the agent of a host makes for an instance, with changes that it would not make. */
export function makeVm(
  name: string,
  host: string,
  changes: {
    readonly metadata?: object
    readonly machine?: object
    readonly guestLabels?: Readonly<Record<string, string>>
    /** Pinned there instead. */
    readonly host?: string
    /** Pinned there or there. */
    readonly orHost?: string
  } = {},
): VirtualMachine {
  const placement = { architecture: 'x86_64', requestId: 'req-1', terminationGracePeriodSeconds: 30 }
  const vm = toVirtualMachine(guestOf(name), { ...placement, host })
  const { template } = vm.spec
  const hosts = [changes.host ?? host, changes.orHost].filter((one) => one !== undefined)
  const nodeSelectorTerms = hosts.map((value) => ({
    matchFields: [{ key: 'metadata.name', operator: 'In' as const, values: [value] }],
  }))
  return {
    ...vm,
    metadata: { ...vm.metadata, ...changes.metadata },
    spec: {
      ...vm.spec,
      template: {
        metadata: { ...template.metadata, ...(changes.guestLabels && { labels: changes.guestLabels }) },
        spec: {
          ...template.spec,
          affinity: {
            nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
          },
          ...changes.machine,
        },
      },
    },
  }
}

/** The Secret that the agent of a host makes for an instance's user data, with changes that it would not make. */
export function makeSecret(
  name: string,
  host: string,
  changes: Omit<Partial<Secret>, 'metadata'> & { readonly metadata?: object } = {},
): Secret {
  const secret = toUserDataSecret(guestOf(name), host)
  if (!secret) throw new Error('no user data')
  return { ...secret, ...changes, metadata: { ...secret.metadata, ...changes.metadata } }
}

/** The disk that KubeVirt makes of a VM's template for a rescue on a host, with changes. */
export function makeRescueDisk(name: string, host: string, changes: object = {}): object {
  const guest = guestOf(name)
  const disk = { kind: 'dataVolume', source: { pvc: { namespace: 'images', name: 'golden' } } } as const
  const { template } = toRescueParts(disk, guest, makeVm(name, host))
  const owner = { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', name, uid: 'vm', controller: true }
  return {
    apiVersion: 'cdi.kubevirt.io/v1beta1',
    kind: 'DataVolume',
    metadata: { namespace: 'default', ...template?.metadata, ownerReferences: [owner], ...changes },
    spec: template?.spec,
  }
}
