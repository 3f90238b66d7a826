import { toTimestamp } from '../common/clock.ts'
import { defineResource, type KubeObject, type ObjectRef } from './resource.ts'

export interface LeaseSpec {
  /** Empty: free. */
  holderIdentity?: string
  leaseDurationSeconds?: number
  acquireTime?: string
  renewTime?: string
  leaseTransitions?: number
}

export interface Lease extends KubeObject {
  spec?: LeaseSpec
}

export const LEASE = defineResource<Lease>({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
})

interface Claim {
  readonly identity: string
  readonly durationMs: number
  readonly nowMs: number
}

/** A lease that nobody has made yet, held by the claimer. */
export function newLease(ref: ObjectRef, claim: Claim): Lease {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { ...ref },
    spec: { ...claimed(claim), acquireTime: microTime(claim.nowMs), leaseTransitions: 0 },
  }
}

/** The same lease, taken or renewed by the claimer. Keeps the version it was read at, as a precondition. */
export function heldBy(lease: Lease, claim: Claim): Lease {
  const before = lease.spec ?? {}
  const isRenewal = before.holderIdentity === claim.identity
  const transitions = before.leaseTransitions ?? 0
  return {
    ...lease,
    spec: {
      ...before,
      ...claimed(claim),
      ...(!isRenewal && { acquireTime: microTime(claim.nowMs), leaseTransitions: transitions + 1 }),
    },
  }
}

/** The same lease, free at once: as client-go writes it. */
export function released(lease: Lease, nowMs: number): Lease {
  const time = microTime(nowMs)
  const spec = {
    ...lease.spec,
    holderIdentity: '',
    leaseDurationSeconds: 1,
    renewTime: time,
    acquireTime: time,
  }
  return { ...lease, spec }
}

function claimed(claim: Claim): LeaseSpec {
  return {
    holderIdentity: claim.identity,
    leaseDurationSeconds: Math.max(1, Math.ceil(claim.durationMs / 1000)),
    renewTime: microTime(claim.nowMs),
  }
}

/** Kubernetes' MicroTime has exactly six digits after the second. */
function microTime(ms: number): string {
  return toTimestamp(ms).replace('Z', '000Z')
}
