import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isInvalid } from '../../kube/api-error.ts'
import { EmbeddedKube } from '../../testing/embedded-kube.ts'
import { INSTANCE_ACTION, type InstanceActionSpec } from './instance-action.ts'
import { type ActionName, isAsked, OPERATIONS } from './states.ts'

let kube: EmbeddedKube
let count = 0

beforeAll(async () => {
  kube = await EmbeddedKube.start()
})
afterAll(() => kube?.close())

/** Undefined when it is taken; else what the API server has against it. */
async function refusal(write: Promise<unknown>): Promise<string | undefined> {
  try {
    await write
    return undefined
  } catch (error) {
    if (!isInvalid(error)) throw error
    return error.message
  }
}

function expectAnswer(said: string | undefined, wanted: string | undefined): void {
  if (wanted === undefined) expect(said).toBeUndefined()
  else expect(said).toContain(wanted)
}

async function create(spec: InstanceActionSpec, name = `action-${++count}`): Promise<unknown> {
  const { group, version, kind } = INSTANCE_ACTION
  const metadata = { namespace: 'default', name }
  return kube.client.create(INSTANCE_ACTION, { apiVersion: `${group}/${version}`, kind, metadata, spec })
}

const LOCK = { action: 'lock', instance: 'web' } as const
const ACCEPTANCE = { requestId: 'req-1', user: 'alice', startTime: '2026-11-22T06:20:11.123Z' } as const

describe('an action that a user creates', () => {
  it.each(Object.keys(OPERATIONS) as ActionName[])('may be %s if that is asked for so', async (action) => {
    const said = await refusal(create({ action, instance: 'web' }))
    expectAnswer(said, isAsked(action) ? undefined : `'${action}' is asked for on the Instance itself`)
  })

  it.each<{ what: string; spec: InstanceActionSpec; says: string | undefined }>([
    { what: 'the uid of the instance', spec: { ...LOCK, instanceUid: 'uid' }, says: undefined },
    { what: 'a user', spec: { ...LOCK, user: 'alice' }, says: undefined },
    { what: 'a reason', spec: { ...LOCK, reason: 'r'.repeat(255) }, says: undefined },
    { what: 'too long a reason', spec: { ...LOCK, reason: 'r'.repeat(256) }, says: 'spec.reason' },
    { what: 'an empty reason', spec: { ...LOCK, reason: '' }, says: 'spec.reason' },
    { what: 'override', spec: { ...LOCK, override: true }, says: undefined },
    {
      what: 'a reason for an unlock',
      spec: { ...LOCK, action: 'unlock', reason: 'why' },
      says: "'unlock' takes no reason",
    },
    { what: 'override for an unlock', spec: { ...LOCK, action: 'unlock', override: true }, says: undefined },
    {
      what: 'override for a stop',
      spec: { ...LOCK, action: 'stop', override: true, ...ACCEPTANCE },
      says: "'stop' takes no override",
    },
    {
      what: 'a request id alone',
      spec: { ...LOCK, requestId: 'req-1' },
      says: 'requestId, user and startTime belong together',
    },
    {
      what: 'a start time alone',
      spec: { ...LOCK, startTime: ACCEPTANCE.startTime },
      says: 'requestId, user and startTime belong together',
    },
    { what: 'a name that no instance has', spec: { ...LOCK, instance: 'Web.x' }, says: 'spec.instance' },
    { what: 'no name', spec: { ...LOCK, instance: '' }, says: 'spec.instance' },
    {
      what: 'an operation there is not',
      spec: { ...LOCK, action: 'dance' as 'lock' },
      says: 'spec.action',
    },
  ])('with $what: $says', async ({ spec, says }) => {
    expectAnswer(await refusal(create(spec)), says)
  })
})

describe('the record of an action', () => {
  const CHANGED = 'the record of an operation cannot be changed'
  const ASKED = { ...LOCK, reason: 'why', override: true }
  const RECORD = { action: 'stop', instance: 'web', instanceUid: 'uid', ...ACCEPTANCE } as const

  it.each<{ what: string; before: InstanceActionSpec; change: object; says: string | undefined }>([
    {
      what: 'is completed once',
      before: ASKED,
      change: { ...ACCEPTANCE, instanceUid: 'uid' },
      says: undefined,
    },
    { what: 'is completed without a uid', before: ASKED, change: ACCEPTANCE, says: undefined },
    {
      what: 'is in the name that the cluster knows',
      before: { ...ASKED, user: 'eve' },
      change: ACCEPTANCE,
      says: undefined,
    },
    { what: 'has its user only when accepted', before: ASKED, change: { user: 'eve' }, says: CHANGED },
    ...[
      { action: 'unlock', reason: null },
      { instance: 'db' },
      { reason: 'because' },
      { reason: null },
      { override: false },
      { override: null },
    ].map((change) => ({
      what: `keeps what was asked for: ${JSON.stringify(change)}`,
      before: ASKED,
      change: { ...ACCEPTANCE, ...change },
      says: CHANGED,
    })),
    {
      what: 'keeps the uid that was given',
      before: { ...ASKED, instanceUid: 'uid' },
      change: { ...ACCEPTANCE, instanceUid: 'other' },
      says: CHANGED,
    },
    ...[{ user: 'eve' }, { requestId: 'req-2' }, { requestId: null, startTime: null }, { reason: 'why' }].map(
      (change) => ({
        what: `stays as it is from then on: ${JSON.stringify(change)}`,
        before: RECORD,
        change,
        says: CHANGED,
      }),
    ),
  ])('$what', async ({ before, change, says }) => {
    const name = `action-${++count}`
    await create(before, name)

    const patched = kube.client.mergePatch(INSTANCE_ACTION, { namespace: 'default', name }, { spec: change })

    expectAnswer(await refusal(patched), says)
  })
})
