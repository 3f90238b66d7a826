import { COMPUTE_NODE, type ComputeNode } from '../apis/v1alpha1/compute-node.ts'
import { FLAVOR, type Flavor, type FlavorSpec } from '../apis/v1alpha1/flavor.ts'
import { IMAGE, type Image, type ImageSpec } from '../apis/v1alpha1/image.ts'
import { INSTANCE, type Instance, type InstanceSpec, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import type { RequestContext } from '../common/context.ts'
import { apiVersionOf, type ObjectMeta } from '../kube/resource.ts'
import type { BuildRequest, FlavorSize, InstanceRef } from '../objects/build-request.ts'
import type { HostState } from '../scheduler/host-state.ts'

/** The uid of an instance that names none. */
export const UID = '11111111-1111-4111-8111-111111111111'
/** What the status of an instance is that no service has seen yet. */
export const NEW_STATUS: InstanceStatus = {
  vmState: 'building',
  taskState: 'scheduling',
  powerState: 'NOSTATE',
  status: 'BUILD',
}

export function makeContext(fields: Partial<RequestContext> = {}): RequestContext {
  return { requestId: 'req-00000000-0000-4000-8000-000000000001', user: '-', project: 'default', ...fields }
}

/** An instance that was just created. A `status` that is given is the whole of it. */
export function makeInstance(
  fields: Partial<ObjectMeta> & {
    readonly spec?: Partial<InstanceSpec>
    readonly status?: InstanceStatus
  } = {},
): Instance {
  const { spec, status, ...metadata } = fields
  return {
    apiVersion: apiVersionOf(INSTANCE),
    kind: INSTANCE.kind,
    metadata: { namespace: 'default', name: 'web', uid: UID, generation: 1, ...metadata },
    spec: { flavor: 'm1.tiny', image: 'cirros', powerState: 'Running', ...spec },
    status: status ?? NEW_STATUS,
  }
}

export function makeFlavor(fields: { readonly name?: string } & Partial<FlavorSpec> = {}): Flavor {
  const { name = 'm1.tiny', ...spec } = fields
  return {
    apiVersion: apiVersionOf(FLAVOR),
    kind: FLAVOR.kind,
    metadata: { name },
    spec: { vcpus: 1, memoryMb: 512, diskGb: 1, ...spec },
  }
}

export function makeImage(fields: { readonly name?: string } & Partial<ImageSpec> = {}): Image {
  const { name = 'cirros', ...spec } = fields
  const hasSource = spec.containerDisk ?? spec.persistentVolumeClaim ?? spec.dataVolume
  return {
    apiVersion: apiVersionOf(IMAGE),
    kind: IMAGE.kind,
    metadata: { name },
    spec: {
      minRamMb: 0,
      minDiskGb: 0,
      properties: {},
      ...(!hasSource && { containerDisk: { image: 'registry.example/cirros' } }),
      ...spec,
    },
  }
}

export function makeRequest(
  fields: Partial<Omit<BuildRequest, 'instance' | 'flavor' | 'image'>> & {
    readonly instance?: Partial<InstanceRef>
    readonly flavor?: Partial<FlavorSize>
    readonly properties?: BuildRequest['image']['properties']
    readonly image?: BuildRequest['image']
  } = {},
): BuildRequest {
  const { instance, flavor, properties = {}, ...rest } = fields
  return {
    instance: { namespace: 'default', name: 'web', uid: UID, ...instance },
    flavor: { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1, ...flavor },
    image: {
      name: 'cirros',
      disk: { kind: 'containerDisk', image: 'registry.example/cirros' },
      properties,
    },
    hostname: 'web',
    extraSpecs: {},
    ...rest,
  }
}

/** A host that is up, empty, and books nothing twice. */
export function makeHost(fields: Partial<HostState> = {}): HostState {
  return {
    host: 'node-1',
    enabled: true,
    up: true,
    availabilityZone: 'nova',
    hypervisorType: 'kvm',
    architecture: 'x86_64',
    inventory: { vcpus: 8, memoryMb: 32_768, diskGb: 500 },
    reserved: { vcpus: 0, memoryMb: 0, diskGb: 0 },
    ratios: { cpu: 1, memory: 1, disk: 1 },
    used: { vcpus: 0, memoryMb: 0, diskGb: 0 },
    aggregates: [],
    labels: {},
    traits: [],
    instances: 0,
    ioOps: 0,
    failedBuilds: 0,
    ...fields,
  }
}

/** A ComputeNode whose agent reported. */
export function makeComputeNode(
  fields: Partial<ObjectMeta> & {
    readonly spec?: Partial<ComputeNode['spec']>
    readonly status?: Partial<NonNullable<ComputeNode['status']>>
  } = {},
): ComputeNode {
  const { spec, status, ...metadata } = fields
  return {
    apiVersion: apiVersionOf(COMPUTE_NODE),
    kind: COMPUTE_NODE.kind,
    metadata: { name: 'node-1', ...metadata },
    spec: { disabled: false, forcedDown: false, allocationRatios: {}, reserved: {}, ...spec },
    status: {
      state: 'up',
      inventory: { vcpus: 8, memoryMb: 32_768, diskGb: 500 },
      usage: { vcpus: 0, memoryMb: 0, diskGb: 0, runningVms: 0 },
      hypervisorType: 'kvm',
      architecture: 'x86_64',
      ...status,
    },
  }
}
