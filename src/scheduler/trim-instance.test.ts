import { describe, expect, it } from 'vitest'
import type { InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { toImageMeta } from '../objects/build-request.ts'
import { makeImage, makeInstance } from '../testing/builders.ts'
import { InstanceTrimmer } from './trim-instance.ts'

const FLAVOR = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
const ACTIVE: InstanceStatus = {
  vmState: 'active',
  host: 'node-1',
  flavor: FLAVOR,
  addresses: [{ address: '10.0.0.1' }],
  requestId: 'req-1',
}

describe('of an instance', () => {
  const { trim } = new InstanceTrimmer()

  it('that nothing is done to, what it holds and where is kept, and whose it is', () => {
    const instance = makeInstance({
      labels: { a: 'b' },
      resourceVersion: '7',
      spec: { userData: 'aGk=', schedulerHints: { group: 'web' } },
      status: { ...ACTIVE, triedHosts: ['node-2'] },
    })
    expect(trim(instance)).toEqual({
      apiVersion: instance.apiVersion,
      kind: 'Instance',
      metadata: { namespace: 'default', name: 'web', uid: instance.metadata.uid, resourceVersion: '7' },
      spec: { flavor: 'm1.tiny', image: 'cirros', powerState: 'Running', schedulerHints: { group: 'web' } },
      status: { vmState: 'active', host: 'node-1', flavor: FLAVOR, triedHosts: ['node-2'] },
    })
  })

  it('what its flavor asks of a host is not kept: that matters where it is placed', () => {
    const flavor = { ...FLAVOR, extraSpecs: { 'trait:CUSTOM_SSD': 'required' } }
    expect(trim(makeInstance({ status: { ...ACTIVE, flavor } })).status.flavor).toEqual(FLAVOR)
  })

  it('its image is not kept: that matters where it is placed', () => {
    const imageMeta = toImageMeta(makeImage())
    expect(trim(makeInstance({ status: { ...ACTIVE, imageMeta } })).status).not.toHaveProperty('imageMeta')
  })

  it.each<InstanceStatus>([
    { ...ACTIVE, taskState: 'powering-off' },
    { vmState: 'building', taskState: 'scheduling' },
  ])('that something is done to all is kept: %j', (status) => {
    const instance = makeInstance({ spec: { userData: 'aGk=' }, status })
    expect(trim(instance)).toBe(instance)
  })

  it('that is being deleted it is seen that somebody holds it', () => {
    const metadata = { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['x'] }
    expect(trim(makeInstance({ ...metadata, status: ACTIVE })).metadata).toMatchObject(metadata)
  })

  it('what it has in common with others is one and the same', () => {
    const [a, b] = ['a', 'b'].map((name) => trim(makeInstance({ name, status: structuredClone(ACTIVE) })))
    expect(a?.spec).toBe(b?.spec)
    expect(a?.status.flavor).toBe(b?.status.flavor)
  })
})
