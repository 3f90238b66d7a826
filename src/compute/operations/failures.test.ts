import { describe, expect, it } from 'vitest'
import { BuildAbortException, NotSupported } from '../../common/errors/guest.ts'
import { KubernetesUnavailable } from '../../common/errors/unavailable.ts'
import { actionRecordName } from '../../objects/action-store.ts'
import { bookingsOf } from '../../objects/bookings.ts'
import { hostsOf } from '../../objects/expected-state.ts'
import { endOfFailure } from '../../testing/operation-cases/failure.ts'
import { actionOf, OPERATION_CASES, REQUEST } from '../../testing/operation-cases/index.ts'
import { until } from '../../testing/until.ts'
import { kube } from '../../testing/use-kube.ts'
import { useOperationWorld, world } from '../../testing/use-operation-world.ts'

useOperationWorld()

const FOR_GOOD = new BuildAbortException({ instance: 'i', reason: 'told so' })
const NEVER = new NotSupported({ operation: 'that', reason: 'told so' })
const MAY_PASS = [
  {
    what: 'may pass',
    error: new KubernetesUnavailable({ reason: 'told so' }),
  },
  { what: 'nobody expected', error: new Error('told so') },
]

/** Every call of the driver that there is, each to fail alone. */
const CALLS = OPERATION_CASES.flatMap((one) => one.calls.map((call) => ({ ...one, call })))

describe.each(CALLS)('$name whose $call fails', (one) => {
  it.each([
    { what: 'for good', error: FOR_GOOD, isRefused: false },
    { what: 'because the hypervisor cannot do it', error: NEVER, isRefused: true },
  ])('$what: ends at once, with a fault and a record', async ({ error, isRefused }) => {
    const instance = await world.begin(one)
    world.agent(one.on).driver.failNext(one.call, error)

    await world.perform(one, instance)

    const { status } = await kube.instance()
    const { vmState, taskState, host } = endOfFailure(one.before, { isRefused })
    expect([status.vmState, status.taskState, status.host]).toEqual([vmState, taskState, host])
    if (!taskState) expect(status).not.toHaveProperty('migration')
    expect(status.fault).toEqual({
      code: error.code,
      reason: error.name,
      message: error.message,
      host: one.on,
      requestId: REQUEST,
      created: '2026-01-01T00:00:00.000Z',
    })
    expect((await kube.action(actionRecordName('web', actionOf(one), REQUEST))).status).toMatchObject({
      result: 'Error',
      message: error.message,
      events: [{ name: `compute_${one.method}`, host: one.on, result: 'Error', details: error.message }],
    })
    // Who has nothing to do with it any more is told, and nobody's turn it is.
    const still = [one.on, status.host]
    const freed = hostsOf(one.before).filter((each) => !still.includes(each))
    const told = (taskState ? [] : [...new Set(freed)]).map((each) => `${each} update_available_resource`)
    await until('they are told', () => world.told.length >= told.length)
    expect(world.told).toEqual(told)
    expect(world.compute.logs.at('WARNING').join()).toContain(
      `The operation failed for good step=compute_${one.method} reason="${error.message}"`,
    )
  })

  it('for good: books no more than what is left there', async () => {
    const instance = await world.begin(one)
    const { driver, tracker } = world.agent(one.on)
    driver.failNext(one.call, FOR_GOOD)
    await world.perform(one, instance)
    const books = bookingsOf(await kube.instance()).some(({ host }) => host === one.on)
    expect(tracker.holds(instance.metadata.uid ?? '')).toBe(books)
  })

  it.each(MAY_PASS)('with what $what: changes nothing, and succeeds the next time', async ({ error }) => {
    const instance = await world.begin(one)
    world.agent(one.on).driver.failNext(one.call, error)

    await expect(world.perform(one, instance)).rejects.toThrow(error)
    expect(await kube.instance()).toEqual(instance)

    await world.perform(one, instance)
    expect((await kube.instance()).status).toMatchObject(one.after)
    expect(world.guestIs()).toEqual(one.guestAfter)
  })
})

it('a guest that does not react to a soft reboot is not asked again and again: it stays active, with a fault', async () => {
  const one = OPERATION_CASES.find(({ before }) => before.taskState === 'rebooting')
  if (!one) throw new Error('there is no soft reboot among the cases')
  const instance = await world.begin(one)
  world.compute.hypervisor.makeStubborn({ namespace: 'default', name: 'web' })
  const rebooting = world.perform(one, instance)
  await until('the guest is asked', () => world.compute.clock.nextInMs === 60_000)

  await world.compute.clock.advance(60_000)
  await rebooting

  const { status } = await kube.instance()
  expect(status).toMatchObject({
    vmState: 'active',
    fault: {
      reason: 'GuestOperationFailure',
      message: `Failed to reboot instance ${instance.metadata.uid}: the guest did not react within 60 s`,
    },
  })
  expect(status).not.toHaveProperty('taskState')
  expect(world.calls).toEqual(['softReboot'])
})
