import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { isInvalid } from '../../kube/api-error.ts'
import { kube, useKube } from '../../testing/use-kube.ts'
import { INSTANCE_ACTION, type InstanceActionSpec } from './instance-action.ts'
import { isAsked } from './which-operation.ts'
import { ACTION_NAMES, type ActionName } from './states.ts'

let count = 0

useKube()

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

/** What an action cannot be without. */
const NEEDED: Readonly<Partial<Record<ActionName, Partial<InstanceActionSpec>>>> = {
  rebuild: { image: 'cirros' },
  createImage: { imageName: 'web-1' },
  resetState: { state: 'active' },
}

/** Each parameter, and the actions that take it. */
const PARAMETERS: readonly {
  readonly field: keyof InstanceActionSpec
  readonly value: string | number | boolean
  readonly takenBy: readonly ActionName[]
}[] = [
  { field: 'reason', value: 'why', takenBy: ['lock'] },
  { field: 'override', value: true, takenBy: ['lock', 'unlock'] },
  { field: 'type', value: 'Hard', takenBy: ['reboot'] },
  { field: 'image', value: 'cirros', takenBy: ['rescue', 'rebuild'] },
  { field: 'imageName', value: 'web-1', takenBy: ['createImage'] },
  { field: 'host', value: 'node-1', takenBy: ['migrate', 'live-migration', 'evacuate'] },
  { field: 'state', value: 'error', takenBy: ['resetState'] },
  { field: 'lines', value: 5, takenBy: ['getConsoleOutput'] },
]

/** Another value of each. */
const OTHER: Readonly<Record<string, string | number | boolean>> = {
  reason: 'because',
  override: false,
  type: 'Soft',
  image: 'other',
  imageName: 'other',
  host: 'node-2',
  state: 'active',
  lines: 6,
}

const EXAMPLES = join(import.meta.dirname, '../../../examples/actions')
const FILES = readdirSync(EXAMPLES)

it('there is an example of every action that is asked for so', () => {
  const shown = FILES.map((file) => parse(readFileSync(join(EXAMPLES, file), 'utf8')).spec.action)
  expect([...new Set<string>(shown)].toSorted()).toEqual(ACTION_NAMES.filter(isAsked).toSorted())
})

describe('an action that a user creates', () => {
  it.each(ACTION_NAMES)('may be %s if that is asked for so', async (action) => {
    const said = await refusal(create({ action, instance: 'web', ...NEEDED[action] }))
    const where = action === 'resize' ? 'flavor' : 'powerState'
    expectAnswer(
      said,
      isAsked(action)
        ? undefined
        : `'${action}' is asked for on the Instance itself: create it, delete it, or change its spec.${where}`,
    )
  })

  it.each([
    { action: 'rebuild', says: "'rebuild' needs the image to rebuild from" },
    { action: 'createImage', says: "'createImage' needs imageName, the name of the image to be made" },
    { action: 'resetState', says: "'resetState' needs state, active or error" },
  ] as const)('names what $action needs', async ({ action, says }) => {
    expectAnswer(await refusal(create({ action, instance: 'web' })), says)
  })

  describe.each(PARAMETERS)('gives $field', ({ field, value, takenBy }) => {
    const actions = ACTION_NAMES.filter(isAsked)
    it.each(actions)('to %s if that takes it', async (action) => {
      const said = await refusal(create({ action, instance: 'web', ...NEEDED[action], [field]: value }))
      expectAnswer(said, takenBy.includes(action) ? undefined : `'${action}' takes no ${field}`)
    })
  })

  it.each(FILES)('may be as examples/actions/%s says', async (file) => {
    const { apiVersion, kind, metadata, spec } = parse(readFileSync(join(EXAMPLES, file), 'utf8'))
    expect(metadata.generateName).toMatch(/^web-.*-$/)
    const name = `${metadata.generateName}${++count}`
    const object = { apiVersion, kind, metadata: { namespace: 'default', name }, spec }
    expect(await refusal(kube.client.create(INSTANCE_ACTION, object))).toBeUndefined()
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
    {
      what: 'a reboot of a kind there is not',
      spec: { ...LOCK, action: 'reboot', type: 'HARD' as 'Hard' },
      says: 'spec.type',
    },
    {
      what: 'a state there is not',
      spec: { ...LOCK, action: 'resetState', state: 'paused' as 'active' },
      says: 'spec.state',
    },
    {
      what: 'no line of a console',
      spec: { ...LOCK, action: 'getConsoleOutput', lines: 0 },
      says: 'spec.lines',
    },
    {
      what: 'more lines than there may be',
      spec: { ...LOCK, action: 'getConsoleOutput', lines: 1001 },
      says: 'spec.lines',
    },
    {
      what: 'a name that no image can have',
      spec: { ...LOCK, action: 'createImage', imageName: 'Web_1' },
      says: 'spec.imageName',
    },
    {
      what: 'no host to go to',
      spec: { ...LOCK, action: 'migrate', host: '' },
      says: 'spec.host',
    },
    {
      what: 'no image to boot from',
      spec: { ...LOCK, action: 'rescue', image: '' },
      says: 'spec.image',
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

  async function acceptedWith(before: InstanceActionSpec, change: object): Promise<string | undefined> {
    const name = `action-${++count}`
    await create(before, name)
    const patch = { spec: { ...ACCEPTANCE, ...change } }
    return refusal(kube.client.mergePatch(INSTANCE_ACTION, { namespace: 'default', name }, patch))
  }

  it.each(PARAMETERS)('keeps the $field that was given', async ({ field, value, takenBy: [action] }) => {
    if (!action) throw new Error(`nothing takes ${field}`)
    const before = { action, instance: 'web', ...NEEDED[action], [field]: value }
    expect(await acceptedWith(before, { [field]: value })).toBeUndefined()
    expectAnswer(await acceptedWith(before, { [field]: OTHER[field] }), CHANGED)
  })

  it.each(PARAMETERS.filter(({ takenBy: [action = 'lock'] }) => !NEEDED[action]))(
    'gets no $field when it is accepted',
    async ({ field, value, takenBy: [action = 'lock'] }) => {
      expectAnswer(await acceptedWith({ action, instance: 'web' }, { [field]: value }), CHANGED)
    },
  )
})
