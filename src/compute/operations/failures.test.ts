import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { InstanceStatus } from '../../apis/v1alpha1/instance.ts'
import { stepOf } from '../../apis/v1alpha1/operations.ts'
import { BuildAbortException, GuestOperationFailure, NotSupported } from '../../common/errors.ts'
import { actionRecordName } from '../../objects/action-store.ts'
import { EmbeddedKube } from '../../testing/embedded-kube.ts'
import type { OperationCase } from '../../testing/operation-cases/case.ts'
import { actionOf, OPERATION_CASES, REQUEST } from '../../testing/operation-cases/index.ts'
import { OperationWorld } from '../../testing/operation-world.ts'

let kube: EmbeddedKube
let world: OperationWorld

beforeAll(async () => {
  kube = await EmbeddedKube.start()
  await OperationWorld.prepare(kube)
})
afterAll(() => kube?.close())
beforeEach(async () => {
  world = new OperationWorld(kube)
  await world.start()
})
afterEach(() => world.close())

const FOR_GOOD = new BuildAbortException({ instance: 'i', reason: 'told so' })
const NEVER = new NotSupported({ operation: 'that', reason: 'told so' })
const MAY_PASS = [
  {
    what: 'may pass',
    error: new GuestOperationFailure({ instance: 'i', operation: 'touch', reason: 'told so' }),
  },
  { what: 'nobody expected', error: new Error('told so') },
]

/** Every call of the driver that there is, each to fail alone. */
const CALLS = OPERATION_CASES.flatMap((one) => one.calls.map((call) => ({ ...one, call })))

/** Where an operation that failed for good leaves the instance: the table's word, and what is not in a column of it. */
function endOf({ before }: OperationCase, isRefused: boolean): InstanceStatus {
  const { failure } = stepOf(before.taskState)
  const { vmState, taskState, host } = before
  if (taskState === 'deleting') return { vmState: 'error', taskState, ...(host && { host }) }
  const keeps = failure === 'unchanged' || isRefused
  return {
    ...(vmState && { vmState: keeps ? vmState : failure }),
    // It had none before, and does not keep the one that was to be its next.
    ...(taskState !== 'unshelving' && host && { host }),
  }
}

describe.each(CALLS)('$name whose $call fails', (one) => {
  it.each([
    { what: 'for good', error: FOR_GOOD, isRefused: false },
    { what: 'because the hypervisor cannot do it', error: NEVER, isRefused: true },
  ])('$what: ends at once, with a fault and a record', async ({ error, isRefused }) => {
    const instance = await world.begin(one)
    world.agent(one.on).driver.failNext(one.call, error)

    await world.perform(one, instance)

    const { status } = await kube.instance()
    const { vmState, taskState, host } = endOf(one, isRefused)
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
    expect(world.told).toEqual([])
    expect(world.compute.logs.at('WARNING').join()).toContain(
      `The operation failed for good step=compute_${one.method} reason="${error.message}"`,
    )
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
