import { describe, expect, it } from 'vitest'
import { Forbidden } from '../common/errors/access.ts'
import { toImageMeta } from '../objects/build-request.ts'
import type { InstanceUpdate } from '../objects/instance-update.ts'
import { makeImage } from '../testing/builders.ts'
import { checkComputeMaySet, hostOfSender } from './compute-rights.ts'

describe('a sender', () => {
  it('that is a compute agent speaks for its host', () => {
    expect(hostOfSender({ service: 'compute', host: 'node-1.example.com' })).toBe('node-1.example.com')
  })

  it.each(['api', 'scheduler', 'conductor'] as const)('%j is no compute agent', (service) => {
    const refusal = new Forbidden({ reason: `'${service}' is no compute agent` })
    expect(() => hostOfSender({ service })).toThrow(refusal)
  })
})

const FLAVOR = { name: 'f', vcpus: 1, memoryMb: 1, diskGb: 1 }
const FAULT = { code: 500, message: 'x', requestId: 'req-1', created: '2026-01-01T00:00:00Z' }

/** Each field of an update, and whether an agent may set it so. */
const RIGHTS: {
  readonly [K in keyof Required<InstanceUpdate>]: { readonly value: InstanceUpdate[K]; readonly may: boolean }
} = {
  vmState: { value: 'active', may: true },
  taskState: { value: null, may: true },
  powerState: { value: 'RUNNING', may: true },
  // Which one, is told by the instance: the conductor looks.
  host: { value: 'node-2', may: true },
  availabilityZone: { value: null, may: true },
  attempt: { value: 2, may: false },
  triedHosts: { value: [], may: false },
  alternates: { value: ['node-2'], may: false },
  flavor: { value: FLAVOR, may: false },
  shutdownTimeoutSeconds: { value: 0, may: false },
  addresses: { value: [], may: true },
  fault: { value: FAULT, may: true },
  lockedBy: { value: null, may: false },
  lockedReason: { value: null, may: false },
  launchedAt: { value: '2026-01-01T00:00:00Z', may: true },
  terminatedAt: { value: '2026-01-01T00:00:00Z', may: true },
  image: { value: 'other', may: false },
  imageMeta: { value: toImageMeta(makeImage()), may: false },
  action: { value: { name: 'mine', operation: 'rescue' }, may: false },
  migration: { value: null, may: true },
  shelvedAt: { value: '2026-01-01T00:00:00Z', may: true },
  softDeletedAt: { value: null, may: true },
  resizedAt: { value: null, may: true },
  requestId: { value: 'req-2', may: false },
  observedGeneration: { value: 1, may: false },
  id: { value: 'other', may: false },
}

describe('a compute agent', () => {
  const cases = Object.entries(RIGHTS).map(([field, { value, may }]) => ({ field, value, may }))

  it.each(cases)('may set $field to $value: $may', ({ field, value, may }) => {
    const check = (): void => checkComputeMaySet('node-1', { [field]: value })
    if (may) expect(check).not.toThrow()
    else expect(check).toThrow(`the compute agent of node-1 may not set '${field}' of an instance`)
  })

  it('may say how far a migration has come', () => {
    expect(() => checkComputeMaySet('node-1', { migration: { status: 'running' } })).not.toThrow()
  })

  it.each<NonNullable<InstanceUpdate['migration']>>([
    { type: 'evacuation' },
    { sourceHost: 'node-9' },
    { destHost: 'node-1' },
    { requestedHost: 'node-1' },
    { oldVmState: 'active' },
    { oldFlavor: FLAVOR },
    { newFlavor: FLAVOR },
  ])('may say nothing else of a migration, as %j', (migration) => {
    const [field] = Object.keys(migration)
    expect(() => checkComputeMaySet('node-1', { migration: { status: 'running', ...migration } })).toThrow(
      `the compute agent of node-1 may not set 'migration.${field}' of an instance`,
    )
  })

  it('may leave a field open that it has no right to', () => {
    expect(() => checkComputeMaySet('node-1', { vmState: 'active', flavor: undefined })).not.toThrow()
  })

  it('is refused all of an update for one field of it', () => {
    expect(() => checkComputeMaySet('node-1', { vmState: 'active', attempt: 9 })).toThrow(
      "may not set 'attempt'",
    )
  })
})
