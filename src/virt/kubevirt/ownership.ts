import { createHash } from 'node:crypto'
import type { KubeObject } from '../../kube/resource.ts'
import type { GuestRef } from '../driver.ts'

/** On VM and VMI: the uid of the instance. */
export const INSTANCE_UID_LABEL = 'compute.kilonova.dev/instance-uid'
/** On VM, VMI and Secret: the host they were made for; an agent watches only its own host's. */
export const HOST_LABEL = 'compute.kilonova.dev/host'
/** On Secret: the host's whole name. A VM has it in its affinity. The cluster's policies compare it with the agent's token. */
export const HOST_ANNOTATION = HOST_LABEL
/** On VM and VMI: the request that made them. */
export const REQUEST_ID_ANNOTATION = 'compute.kilonova.dev/request-id'

const LABEL_LIMIT = 63

/** A host's name as a label value: node names may be longer than those. */
export function hostLabelValue(host: string): string {
  if (host.length <= LABEL_LIMIT) return host
  const digest = createHash('sha256').update(host).digest('hex').slice(0, 10)
  return `${host.slice(0, LABEL_LIMIT - digest.length - 1)}-${digest}`
}

/** The object was made for this instance. Names come again; the uid in the owner reference does not. */
export function isOwnedBy(object: KubeObject, guest: Pick<GuestRef, 'uid'>): boolean {
  return object.metadata.ownerReferences?.some(isInstance(guest.uid)) ?? false
}

/** The object is pinned to this host. */
export function isOnHost(object: KubeObject, host: string): boolean {
  return object.metadata.labels?.[HOST_LABEL] === hostLabelValue(host)
}

function isInstance(uid: string): (owner: { readonly kind: string; readonly uid: string }) => boolean {
  return (owner) => owner.kind === 'Instance' && owner.uid === uid
}

/** Whose an object is, in words for a fault. */
export function ownerInWords(object: KubeObject): string {
  const owner = object.metadata.ownerReferences?.find((reference) => reference.controller === true)
  return owner ? `it belongs to ${owner.kind} ${owner.name}, uid ${owner.uid}` : 'it has no owner'
}
