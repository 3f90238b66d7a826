import { describe, expect, it } from 'vitest'
import { type Flavor, FLAVOR } from '../apis/v1alpha1/flavor.ts'
import { ApiError } from '../kube/api-error.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { captureLog } from '../testing/log-capture.ts'
import { MemoryKubeClient } from '../testing/memory-kube-client.ts'
import { makeCatalogue } from './catalogue.ts'

const NAMES = [
  'Flavor m1.large',
  'Flavor m1.medium',
  'Flavor m1.small',
  'Flavor m1.tiny',
  'Flavor m1.xlarge',
  'Image cirros',
]

function world() {
  const client = new MemoryKubeClient()
  const clock = new FakeClock()
  const capture = captureLog()
  const names = (): string[] => client.all().map((one) => `${one.kind} ${one.metadata.name}`)
  return { deps: { client, clock, log: capture.log }, capture, names }
}

describe('the catalogue', () => {
  it('is the classic flavors and a small image', async () => {
    const { deps, capture, names } = world()
    await makeCatalogue(deps)
    expect(names().toSorted()).toEqual(NAMES)
    expect(capture.at('INFO')).toEqual([expect.stringContaining('The catalogue is there made=6')])
  })

  it('leaves a flavor of the same name as its operator made it', async () => {
    const { deps, capture } = world()
    const own: Flavor = {
      apiVersion: 'compute.kilonova.dev/v1alpha1',
      kind: 'Flavor',
      metadata: { name: 'm1.tiny' },
      spec: { vcpus: 3, memoryMb: 3, diskGb: 3 },
    }
    await deps.client.create(FLAVOR, own)
    await makeCatalogue(deps)
    expect((await deps.client.get(FLAVOR, { name: 'm1.tiny' })).spec).toEqual(own.spec)
    expect(capture.at('INFO')).toEqual([expect.stringContaining('made=5')])
  })

  it.each([
    { code: 404, reason: 'NotFound' },
    { code: 0, reason: 'Unreachable' },
  ])('waits for an API server that answers $reason, and says so once', async ({ code, reason }) => {
    const { deps, capture, names } = world()
    deps.client.failure = new ApiError({ code, reason, message: 'not served' })
    const making = makeCatalogue(deps)
    await deps.clock.advance(3000)
    expect(capture.at('WARNING')).toEqual([expect.stringContaining('Waiting for the API server')])

    deps.client.failure = undefined
    await deps.clock.advance(1000)
    await making
    expect(names()).toHaveLength(6)
  })

  it('ends with what it may not do', async () => {
    const { deps } = world()
    deps.client.failure = new ApiError({ code: 403, reason: 'Forbidden', message: 'may not create flavors' })
    await expect(makeCatalogue(deps)).rejects.toThrow('may not create flavors')
  })
})
