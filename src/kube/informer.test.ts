import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Clock, SystemClock } from '../common/clock.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { captureLog, type LogCapture } from '../testing/log-capture.ts'
import { type ScriptedRequest, ScriptedServer } from '../testing/scripted-server.ts'
import { until } from '../testing/until.ts'
import { HttpKubeClient } from './http-client.ts'
import { Informer, type InformerOptions } from './informer.ts'
import { defineResource, type KubeObject } from './resource.ts'

interface Note extends KubeObject {
  text?: string
}
const NOTE = defineResource<Note>({
  group: 'g.io',
  version: 'v1',
  kind: 'Note',
  plural: 'notes',
  namespaced: true,
})

/** A note of that name and version. Its uid is its name unless it is said to be a later one. */
function note(name: string, version: number, uid = name): Note {
  const metadata = { namespace: 'ns', name, uid, resourceVersion: `${version}` }
  return { apiVersion: 'g.io/v1', kind: 'Note', metadata }
}
const added = (object: Note): object => ({ type: 'ADDED', object })
const modified = (object: Note): object => ({ type: 'MODIFIED', object })
const deleted = (object: Note): object => ({ type: 'DELETED', object })
const bookmark = (version: number): object => ({
  type: 'BOOKMARK',
  object: { kind: 'Note', apiVersion: 'g.io/v1', metadata: { resourceVersion: `${version}` } },
})
const listOf = (version: number, items: readonly Note[], rest?: string): object => ({
  kind: 'NoteList',
  metadata: { resourceVersion: `${version}`, ...(rest && { continue: rest }) },
  items,
})

let server: ScriptedServer
let client: HttpKubeClient
let informer: Informer<Note>
let logs: LogCapture
let changes: string[]

function begin(options: Partial<InformerOptions<Note>> = {}, clock: Clock = new SystemClock()): void {
  client = HttpKubeClient.fromKubeConfig({ server: server.url }, { clock })
  informer = new Informer(
    { client, clock, log: logs.log, random: () => 0 },
    { type: NOTE, backoff: { baseMs: 2, capMs: 8 }, ...options },
  )
  informer.onChange(({ type, object }) => {
    changes.push(`${type} ${object.metadata.name}@${object.metadata.resourceVersion}`)
  })
  informer.start()
}

/** The next request, which must be a list (of whole pages, not a probe). */
async function expectList(): Promise<ScriptedRequest> {
  const request = await server.next()
  expect(request.isWatch).toBe(false)
  expect(request.query.get('limit')).not.toBe('1')
  return request
}

/** The next request, which must be a watch from that version. */
async function expectWatch(from: number): Promise<ScriptedRequest> {
  const request = await server.next()
  expect(request.isWatch).toBe(true)
  expect(request.query.get('resourceVersion')).toBe(`${from}`)
  request.write()
  return request
}

/** After a broken connection the informer asks whether the server's history is still the same. */
async function answerProbe(version: number): Promise<void> {
  const request = await server.next()
  expect(request.query.get('limit')).toBe('1')
  request.answer(200, listOf(version, []))
}

/** Lists two notes and follows: where most tests begin. */
async function follow(options: Partial<InformerOptions<Note>> = {}, clock?: Clock): Promise<ScriptedRequest> {
  begin(options, clock)
  ;(await expectList()).answer(200, listOf(10, [note('a', 3), note('b', 7)]))
  const watch = await expectWatch(10)
  await until('it follows', () => informer.isHealthy())
  return watch
}

async function seen(...expected: string[]): Promise<void> {
  await until(`changes are ${expected.join(', ')}`, () => changes.length >= expected.length)
  expect(changes).toEqual(expected)
}

const START = ['added a@3', 'added b@7']

beforeEach(async () => {
  server = await ScriptedServer.start()
  logs = captureLog()
  changes = []
})

afterEach(async () => {
  await informer.stop()
  await client.close()
  await server.stop()
})

describe('listing', () => {
  it('lists in pages of 500 and is synced after the last', async () => {
    begin()
    const first = await expectList()
    expect(first.query.get('limit')).toBe('500')
    first.answer(200, listOf(10, [note('a', 3)], 'more'))
    const second = await expectList()
    expect(second.query.get('continue')).toBe('more')
    expect(informer.store.size).toBe(0)
    second.answer(200, listOf(10, [note('b', 7)]))
    await informer.synced()
    await expectWatch(10)
    await seen(...START)
  })

  it('lists in one piece when the pages expire', async () => {
    begin()
    ;(await expectList()).answer(200, listOf(10, [note('a', 3)], 'more'))
    ;(await expectList()).fail(410, 'Expired')
    const whole = await expectList()
    expect(whole.query.has('limit')).toBe(false)
    whole.answer(200, listOf(12, [note('a', 3), note('b', 7)]))
    await expectWatch(12)
    await seen(...START)
  })

  it('keeps trying while the server is not there, and says so once', async () => {
    begin()
    for (let attempt = 0; attempt < 4; attempt++) (await expectList()).fail(503, 'ServiceUnavailable')
    expect(informer.isHealthy()).toBe(false)
    ;(await expectList()).answer(200, listOf(10, []))
    const watch = await expectWatch(10)
    watch.send(bookmark(11))
    await until('it says it is back', () => logs.at('INFO').length === 1)
    expect(logs.at('WARNING')).toHaveLength(1)
    expect(informer.isHealthy()).toBe(true)
  })

  it('waits as long as a throttling server asks', async () => {
    const clock = new FakeClock()
    begin({}, clock)
    // The client retries five times by itself; the reflector then goes on.
    for (let attempt = 0; attempt < 7; attempt++) {
      ;(await expectList()).fail(429, 'TooManyRequests', { 'retry-after': '2' })
      await until('it waits', () => clock.timers === 1)
      await clock.advance(1_999)
      expect(server.backlog).toBe(0)
      await clock.advance(1)
    }
    ;(await expectList()).answer(200, listOf(10, []))
    await informer.synced()
  })

  it('gives up waiting for the first list when told to', async () => {
    begin()
    const giveUp = new AbortController()
    const synced = informer.synced(giveUp.signal)
    giveUp.abort(new Error('stopping'))
    await expect(synced).rejects.toThrow('stopping')
  })
})

describe('watching', () => {
  it('asks for bookmarks and for an end after 5 to 10 minutes', async () => {
    const watch = await follow()
    expect(watch.query.get('allowWatchBookmarks')).toBe('true')
    expect(Number(watch.query.get('timeoutSeconds'))).toBeGreaterThanOrEqual(300)
    expect(Number(watch.query.get('timeoutSeconds'))).toBeLessThan(600)
  })

  it('tells of each change once and keeps the store and its indexes', async () => {
    const watch = await follow({ indexes: { version: (o) => [o.metadata.resourceVersion ?? ''] } })
    watch.send(modified(note('a', 11)), added(note('c', 12)), deleted(note('b', 13)))
    await seen(...START, 'updated a@11', 'added c@12', 'deleted b@13')
    expect(informer.store.keys().toSorted()).toEqual(['ns/a', 'ns/c'])
    expect(informer.store.byIndex('version', '11')).toEqual([note('a', 11)])
    expect(informer.store.byIndex('version', '3')).toEqual([])
  })

  it('goes on after a listener that throws', async () => {
    const watch = await follow()
    informer.onChange(() => {
      throw new Error('bug')
    })
    watch.send(modified(note('a', 11)), modified(note('a', 12)))
    await seen(...START, 'updated a@11', 'updated a@12')
    expect(logs.at('ERROR')).toHaveLength(2)
  })

  it('resumes after a reset where the last event left off', async () => {
    const watch = await follow()
    watch.send(modified(note('a', 11)))
    await seen(...START, 'updated a@11')
    watch.reset()
    await answerProbe(11)
    ;(await expectWatch(11)).send(added(note('c', 12)))
    await seen(...START, 'updated a@11', 'added c@12')
    expect(logs.at('WARNING')).toEqual([])
  })

  it('resumes where the last bookmark left off', async () => {
    const watch = await follow()
    watch.send(bookmark(500))
    watch.end()
    await expectWatch(500)
  })

  it('resumes after a clean end, without a busy loop', async () => {
    const clock = new FakeClock()
    let watch = await follow({ backoff: { baseMs: 100, capMs: 400 } }, clock)
    for (const waitMs of [50, 100, 200, 200]) {
      watch.end()
      await until('it waits', () => clock.nextInMs === waitMs)
      expect(server.backlog).toBe(0)
      await clock.advance(waitMs)
      watch = await expectWatch(10)
      await until('the watch is open', () => clock.timers === 2)
    }
    await clock.advance(300_000)
  })

  it('resumes a watch that lasted at once after its clean end', async () => {
    const clock = new FakeClock()
    const watch = await follow({}, clock)
    await clock.advance(100_000)
    watch.end()
    await expectWatch(10)
  })

  it.each([
    { code: 429, reason: 'TooManyRequests' },
    { code: 500, reason: 'InternalError' },
    { code: 503, reason: 'ServiceUnavailable' },
  ])('tries again from the same version after $code', async ({ code, reason }) => {
    const watch = await follow()
    watch.end()
    for (let attempt = 0; attempt < 3; attempt++) (await server.next()).fail(code, reason)
    ;(await expectWatch(10)).send(modified(note('a', 11)))
    await seen(...START, 'updated a@11')
    await until('it says it is back', () => logs.at('INFO').length === 1)
    expect(logs.at('WARNING')).toHaveLength(1)
  })

  it('resumes after half a line without losing or doubling an event', async () => {
    const watch = await follow()
    const line = JSON.stringify(modified(note('a', 12)))
    watch.send(modified(note('b', 11)))
    watch.write(line.slice(0, 40))
    await seen(...START, 'updated b@11')
    watch.reset()
    await answerProbe(12)
    ;(await expectWatch(11)).send(modified(note('a', 12)))
    await seen(...START, 'updated b@11', 'updated a@12')
  })

  it('cuts a silent watch and resumes it', async () => {
    const clock = new FakeClock()
    const watch = await follow({ silenceMs: 60_000 }, clock)
    await clock.advance(50_000)
    watch.send(modified(note('a', 11)))
    await seen(...START, 'updated a@11')
    await clock.advance(59_000)
    expect(watch.isGone).toBe(false)
    await clock.advance(1_000)
    await until('the watch is cut', () => watch.isGone)
    await answerProbe(11)
    await expectWatch(11)
    expect(logs.at('WARNING')).toEqual([])
  })
})

describe('listing again', () => {
  const relisted = listOf(20, [note('a', 15), note('c', 18)])
  const RELISTED = [...START, 'deleted b@7', 'updated a@15', 'added c@18']

  it('does so when the version is too old', async () => {
    ;(await follow()).end()
    ;(await server.next()).fail(410, 'Expired')
    ;(await expectList()).answer(200, relisted)
    await expectWatch(20)
    await seen(...RELISTED)
  })

  it.each([410, 500, 504])('does so after an ERROR event of code %i', async (code) => {
    ;(await follow()).send({ type: 'ERROR', object: { kind: 'Status', code, message: 'no' } })
    ;(await expectList()).answer(200, relisted)
    ;(await expectWatch(20)).send(modified(note('a', 21)))
    await seen(...RELISTED, 'updated a@21')
  })

  it('keeps trying when that list fails too', async () => {
    ;(await follow()).send({ type: 'ERROR', object: { kind: 'Status', code: 410 } })
    ;(await expectList()).fail(500, 'InternalError')
    ;(await expectList()).reset()
    // The client itself reads again after a reset.
    ;(await expectList()).fail(429, 'TooManyRequests')
    expect(informer.isHealthy()).toBe(false)
    expect(informer.store.size).toBe(2)
    ;(await expectList()).answer(200, relisted)
    ;(await expectWatch(20)).send(bookmark(21))
    await seen(...RELISTED)
    await until('it is healthy', () => informer.isHealthy())
  })

  it('replaces everything when the server has begun a new history', async () => {
    const watch = await follow()
    informer.observe(note('own', 12))
    watch.reset()
    await answerProbe(2)
    ;(await expectList()).answer(200, listOf(2, [note('a', 1, 'new')]))
    ;(await expectWatch(2)).send(added(note('b', 3, 'new')))
    await seen(
      ...START,
      'added own@12',
      'deleted b@7',
      'deleted own@12',
      'deleted a@3',
      'added a@1',
      'added b@3',
    )
  })
})

describe('observing our own writes', () => {
  it('shows a write before its event, and tells of it once', async () => {
    const watch = await follow()
    informer.observe(note('a', 11))
    expect(informer.store.get('ns/a')).toEqual(note('a', 11))
    watch.send(modified(note('a', 11)), modified(note('a', 12)))
    await seen(...START, 'updated a@11', 'updated a@12')
  })

  it('does not fall back to events from before the write', async () => {
    const watch = await follow()
    informer.observe(note('a', 13))
    watch.send(modified(note('a', 11)), modified(note('a', 13)), modified(note('b', 14)))
    await seen(...START, 'updated a@13', 'updated b@14')
  })

  it('leaves out an answer that comes after newer events', async () => {
    const watch = await follow()
    watch.send(modified(note('a', 12)))
    await seen(...START, 'updated a@12')
    informer.observe(note('a', 11))
    expect(informer.store.get('ns/a')).toEqual(note('a', 12))
  })

  it('does not bring back what was deleted meanwhile', async () => {
    const watch = await follow()
    watch.send(deleted(note('a', 12)))
    await seen(...START, 'deleted a@12')
    informer.observe(note('a', 11))
    expect(informer.store.get('ns/a')).toBeUndefined()
  })

  it('takes a deletion that comes after the answer', async () => {
    const watch = await follow()
    informer.observe(note('c', 11))
    watch.send(added(note('c', 11)), deleted(note('c', 12)))
    await seen(...START, 'added c@11', 'deleted c@12')
  })

  it('keeps what we created anew when the old deletion arrives late', async () => {
    const watch = await follow()
    informer.observe(note('a', 14, 'second'))
    watch.send(deleted(note('a', 12)), added(note('a', 14, 'second')), modified(note('b', 15)))
    await seen(...START, 'deleted a@3', 'added a@14', 'updated b@15')
  })

  it('takes away what our own write ended, once, whatever events still come', async () => {
    const ending = note('a', 12)
    ending.metadata.deletionTimestamp = '2026-01-01T00:00:00Z'
    const watch = await follow()
    informer.observe(ending)
    expect(informer.store.get('ns/a')).toBeUndefined()
    watch.send(
      modified(note('a', 11)),
      modified(ending),
      deleted(note('a', 13)),
      added(note('a', 14, 'second')),
    )
    await seen(...START, 'deleted a@12', 'added a@14')
  })

  it('keeps newer own writes over a list that does not have them yet', async () => {
    const watch = await follow()
    watch.send({ type: 'ERROR', object: { code: 410 } })
    const list = await expectList()
    informer.observe(note('own', 21))
    informer.observe(note('a', 22))
    informer.observe(note('gone', 19))
    list.answer(200, listOf(20, [note('a', 15), note('b', 7)]))
    ;(await expectWatch(20)).send(added(note('own', 21)), modified(note('a', 22)), deleted(note('own', 23)))
    await seen(...START, 'added own@21', 'updated a@22', 'added gone@19', 'deleted gone@19', 'deleted own@23')
  })

  it('leaves out what the selectors leave out', async () => {
    await follow({ namespace: 'ns', labelSelector: 'app=x,tier in (a, b)', fieldSelector: 'text=hello' })
    const fitting: Note = { ...note('c', 11), text: 'hello' }
    fitting.metadata.labels = { app: 'x', tier: 'b' }
    informer.observe(fitting)
    informer.observe({ ...fitting, metadata: { ...fitting.metadata, name: 'd', labels: { app: 'x' } } })
    informer.observe({ ...fitting, metadata: { ...fitting.metadata, name: 'e', namespace: 'other' } })
    informer.observe({ ...fitting, metadata: { ...fitting.metadata, resourceVersion: '12' }, text: 'bye' })
    await seen(...START, 'added c@11', 'deleted c@12')
  })
})

describe('waiting for a version that somebody else has seen', () => {
  let clock: FakeClock

  beforeEach(async () => {
    clock = new FakeClock()
    begin({}, clock)
    ;(await expectList()).answer(200, listOf(10, [note('a', 5)]))
    await informer.synced()
  })

  it('is over at once where that version is held, or none is asked for', async () => {
    expect((await informer.atLeast('ns/a', '5', 100))?.metadata.resourceVersion).toBe('5')
    expect((await informer.atLeast('ns/a', undefined, 100))?.metadata.name).toBe('a')
    expect(await informer.atLeast('ns/b', undefined, 100)).toBeUndefined()
  })

  it('is over when the watch brings that version, and not by another object’s', async () => {
    const watch = await expectWatch(10)
    const waiting = informer.atLeast('ns/a', '12', 100)
    watch.send(modified(note('a', 11)), added(note('b', 13)), modified(note('a', 14)))
    expect((await waiting)?.metadata.resourceVersion).toBe('14')
  })

  it('is over when the object goes', async () => {
    const watch = await expectWatch(10)
    const waiting = informer.atLeast('ns/a', '12', 100)
    watch.send(deleted(note('a', 11)))
    expect(await waiting).toBeUndefined()
  })

  it('is over after its time', async () => {
    await expectWatch(10)
    const waiting = informer.atLeast('ns/a', '12', 100)
    await clock.advance(100)
    expect(await waiting).toBeUndefined()
  })
})
