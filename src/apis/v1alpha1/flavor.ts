// Generated from crds/compute.kilonova.dev_flavors.yaml by `npm run generate`. Do not edit.
import { defineResource, type KubeObject } from '../../kube/resource.ts'

export interface FlavorSpec {
  /** Virtual CPUs. */
  readonly vcpus: number
  /** Memory of the guest, in MiB. Nova's ram. */
  readonly memoryMb: number
  /** Root disk, in GiB. 0 means the size of the image. */
  readonly diskGb: number
  /** What the flavor asks of a host besides, under Nova's names; docs/scheduler.md lists what is read. */
  readonly extraSpecs?: Readonly<Record<string, string>>
  readonly description?: string
}

/** The size of an instance, and what it asks of a host. An instance keeps the flavor as it was when it was bound to its host, extra specs included; later changes do not reach it, nor does the deletion. */
export interface Flavor extends KubeObject {
  readonly spec: FlavorSpec
}

export const FLAVOR = defineResource<Flavor>({
  group: 'compute.kilonova.dev',
  version: 'v1alpha1',
  kind: 'Flavor',
  plural: 'flavors',
  namespaced: false,
})
