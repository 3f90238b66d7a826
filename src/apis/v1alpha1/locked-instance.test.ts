import { describe, expect, it } from 'vitest'
import { isInvalid } from '../../kube/api-error.ts'
import { kube, useKube } from '../../testing/use-kube.ts'
import { INSTANCE, type InstanceSpec, type InstanceStatus } from './instance.ts'

const LOCKED = 'Instance the-id is locked'

let count = 0

useKube()

/** What the API server has against a change of an instance in this state: field and sentence of each complaint. */
async function refusal(
  instance: { readonly spec?: Partial<InstanceSpec>; readonly status: InstanceStatus },
  patch: object,
): Promise<readonly string[]> {
  const name = `web-${++count}`
  await kube.putInstance({
    name,
    ...(instance.spec && { spec: instance.spec }),
    status: { id: 'the-id', host: 'node-1', ...instance.status },
  })
  try {
    await kube.client.mergePatch(INSTANCE, { namespace: 'default', name }, patch)
    return []
  } catch (error) {
    if (!isInvalid(error)) throw error
    return (error.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`)
  }
}

const ACTIVE = { vmState: 'active', powerState: 'RUNNING' } as const
const STOPPED = { vmState: 'stopped', powerState: 'SHUTDOWN' } as const

describe.each(['owner', 'admin'] as const)('an instance that is locked by its %s', (lockedBy) => {
  it.each<{
    what: string
    spec?: Partial<InstanceSpec>
    status: InstanceStatus
    patch: object
    field: string
  }>([
    { what: 'a stop', status: ACTIVE, patch: { powerState: 'Shutdown' }, field: 'spec.powerState' },
    {
      what: 'a start',
      spec: { powerState: 'Shutdown' },
      status: STOPPED,
      patch: { powerState: 'Running' },
      field: 'spec.powerState',
    },
    {
      what: 'a change that takes another back',
      spec: { powerState: 'Shutdown' },
      status: { ...ACTIVE, taskState: 'powering-off' },
      patch: { powerState: 'Running' },
      field: 'spec.powerState',
    },
    { what: 'metadata', status: ACTIVE, patch: { metadata: { a: 'b' } }, field: 'spec.metadata' },
    {
      what: 'other metadata',
      spec: { metadata: { a: 'a' } },
      status: ACTIVE,
      patch: { metadata: { a: 'b' } },
      field: 'spec.metadata',
    },
    {
      what: 'no metadata any more',
      spec: { metadata: { a: 'a' } },
      status: ACTIVE,
      patch: { metadata: null },
      field: 'spec.metadata',
    },
  ])('refuses $what', async ({ spec, status, patch, field }) => {
    const said = await refusal({ ...(spec && { spec }), status: { ...status, lockedBy } }, { spec: patch })
    expect(said[0]).toMatch(new RegExp(`^${field}: .*${LOCKED}$`))
  })

  it.each<{ what: string; status: InstanceStatus; patch: object }>([
    { what: 'labels', status: ACTIVE, patch: { metadata: { labels: { a: 'b' } } } },
    {
      what: 'what is there already',
      status: ACTIVE,
      patch: { spec: { powerState: 'Running', flavor: 'm1.tiny' } },
    },
    ...(['SHUTDOWN', 'CRASHED', 'SUSPENDED'] as const).map((powerState) => ({
      what: `to be off, when its guest is ${powerState} by itself`,
      status: { ...ACTIVE, powerState },
      patch: { spec: { powerState: 'Shutdown' } },
    })),
  ])('takes $what', async ({ status, patch }) => {
    expect(await refusal({ status: { ...status, lockedBy } }, patch)).toEqual([])
  })
})

it('takes every change again when it is unlocked', async () => {
  expect(await refusal({ status: ACTIVE }, { spec: { powerState: 'Shutdown' } })).toEqual([])
  expect(await refusal({ status: ACTIVE }, { spec: { metadata: { a: 'b' } } })).toEqual([])
})

it('a lock is told by its name where the id is not written yet', async () => {
  await kube.putInstance({ name: 'nameless', status: { ...ACTIVE, lockedBy: 'owner' } })
  const patched = kube.client.mergePatch(
    INSTANCE,
    { namespace: 'default', name: 'nameless' },
    { spec: { powerState: 'Shutdown' } },
  )
  await expect(patched).rejects.toThrow('Instance nameless is locked')
})
