import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { get, type Json, type JsonObject, textOf } from './json.ts'
import type { ApiServer } from './server.ts'
import { startServer, type TestClient, widget, WIDGETS } from './test-client.ts'

const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }

let server: ApiServer
let client: TestClient

beforeEach(async () => {
  ;({ server, client } = await startServer({
    watchHistory: 4,
    bookmarkIntervalMs: 20,
    maxWatchBufferBytes: 200_000,
  }))
})
afterEach(() => server.stop())

function names(list: JsonObject): Json[] {
  return (get(list, 'items') as JsonObject[]).map((item) => get(item, 'metadata', 'name') ?? '')
}

async function version(path = WIDGETS): Promise<string> {
  return textOf(get((await client.get(path)).body, 'metadata', 'resourceVersion'))
}

describe('list', () => {
  beforeEach(async () => {
    await client.create(widget('b', {}, { labels: { app: 'x', tier: 'web' } }))
    await client.create(widget('a', {}, { labels: { app: 'y' } }))
    await client.create(widget('c'))
    await client.patch('b', { status: { host: 'h1' } }, '/status')
  })

  it.each([
    ['', ['a', 'b', 'c']],
    ['labelSelector=app=x', ['b']],
    ['labelSelector=app!=x', ['a', 'c']],
    ['labelSelector=app in (x,y),tier', ['b']],
    ['labelSelector=app notin (x)', ['a', 'c']],
    ['labelSelector=!app', ['c']],
    ['fieldSelector=metadata.name=a', ['a']],
    ['fieldSelector=metadata.name!=a,metadata.namespace=default', ['b', 'c']],
    ['fieldSelector=status.host=h1', ['b']],
  ])('selects by %s', async (query, want) => {
    expect(names((await client.get(`${WIDGETS}?${query}`)).body)).toEqual(want)
  })

  it.each([
    ['labelSelector=a in', "unable to parse requirement: found '' expected: '('"],
    ['fieldSelector=spec.size=1', 'field label not supported: spec.size'],
    ['fieldSelector=foo', "invalid selector: 'foo'; can't understand 'foo'"],
    ['continue=abc', 'invalid continue token'],
    ['limit=x', 'strconv.ParseInt: parsing "x": invalid syntax'],
    ['resourceVersion=x', 'invalid resource version'],
  ])('refuses %s', async (query, message) => {
    const { code, body } = await client.get(`${WIDGETS}?${query}`)

    expect(code).toBe(400)
    expect(body['message']).toContain(message)
  })

  it('comes in pages under one resource version', async () => {
    const first = await client.get(`${WIDGETS}?limit=2`)
    await client.create(widget('d'))
    const next = textOf(get(first.body, 'metadata', 'continue'))
    const second = await client.get(`${WIDGETS}?limit=2&continue=${next}`)

    expect(names(first.body)).toEqual(['a', 'b'])
    expect(get(first.body, 'metadata', 'remainingItemCount')).toBe(1)
    expect(names(second.body)).toEqual(['c', 'd'])
    expect(get(second.body, 'metadata', 'resourceVersion')).toBe(
      get(first.body, 'metadata', 'resourceVersion'),
    )
  })

  it('tells a client from the future that its resource version is too large', async () => {
    const { code, body } = await client.get(`${WIDGETS}?resourceVersion=99999`)

    expect(code).toBe(504)
    expect(get(body, 'details', 'causes')).toMatchObject([{ reason: 'ResourceVersionTooLarge' }])
  })

  it('is a table when asked for one', async () => {
    await client.patch('a', { status: { conditions: [{ type: 'Ready', status: 'True' }] } }, '/status')

    const { body } = await client.get(WIDGETS, TABLE)

    expect(body['kind']).toBe('Table')
    expect(get(body, 'columnDefinitions')).toMatchObject([
      { name: 'Name', format: 'name' },
      { name: 'Flavor' },
      { name: 'Ready' },
      { name: 'Host', priority: 1 },
      { name: 'Age', type: 'date' },
    ])
    expect((get(body, 'rows') as JsonObject[]).map((row) => row['cells'])).toEqual([
      ['a', 'a', 'True', null, expect.stringMatching(/^\ds$/)],
      ['b', 'a', null, 'h1', expect.stringMatching(/^\ds$/)],
      ['c', 'a', null, null, expect.stringMatching(/^\ds$/)],
    ])
  })

  it('finds events by the object they are about', async () => {
    const path = '/api/v1/namespaces/default/events'
    for (const name of ['a', 'b']) {
      const involvedObject = { kind: 'Widget', namespace: 'default', name, uid: `uid-${name}` }
      const event = { apiVersion: 'v1', kind: 'Event', metadata: { name: `e-${name}` }, involvedObject }
      await client.create({ ...event, reason: 'Made', type: 'Normal' }, '', path)
    }

    const selector = 'involvedObject.name=b,involvedObject.uid=uid-b,reason=Made,type=Normal'

    expect(names((await client.get(`${path}?fieldSelector=${selector}`)).body)).toEqual(['e-b'])
  })
})

describe('watch', () => {
  it('shows what is there and then every change', async () => {
    await client.create(widget('a'))
    const watch = await client.watch('')
    await client.create(widget('b'))
    await client.patch('b', { spec: { size: 2 } })
    await client.delete('a')

    expect(await watch.take(4)).toEqual(['ADDED a', 'ADDED b', 'MODIFIED b', 'DELETED a'])
    watch.close()
  })

  it('resumes after a resource version without loss or repetition', async () => {
    await client.create(widget('a'))
    const from = await version()
    await client.create(widget('b'))
    const watch = await client.watch(`resourceVersion=${from}`)
    await client.create(widget('c'))

    expect(await watch.take(2)).toEqual(['ADDED b', 'ADDED c'])
    watch.close()
  })

  it('says 410 Expired when the history does not reach back so far', async () => {
    const from = await version()
    for (let size = 0; size < 10; size++) await client.create(widget(`w${size}`))

    const watch = await client.watch(`resourceVersion=${from}`)

    expect(await watch.next()).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } })
    expect(await watch.next()).toBeUndefined()
  })

  it('says 410 Expired to a resource version of another life', async () => {
    const watch = await client.watch('resourceVersion=99999')

    expect(await watch.next()).toMatchObject({ type: 'ERROR', object: { code: 410 } })
  })

  it('turns entering and leaving the selector into ADDED and DELETED', async () => {
    await client.create(widget('a'))
    const watch = await client.watch(`labelSelector=x&resourceVersion=${await version()}`)
    await client.patch('a', { metadata: { labels: { x: '1' } } })
    await client.patch('a', { spec: { size: 2 } })
    const left = await client.patch('a', { metadata: { labels: null } })

    expect(await watch.take(2)).toEqual(['ADDED a', 'MODIFIED a'])
    expect(await watch.next()).toMatchObject({
      type: 'DELETED',
      object: {
        metadata: { labels: { x: '1' }, resourceVersion: get(left.body, 'metadata', 'resourceVersion') },
      },
    })
    watch.close()
  })

  it('sends bookmarks, the first right after the initial events when they are asked for', async () => {
    await client.create(widget('a'))
    const query = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'

    const watch = await client.watch(query)

    expect(await watch.take(1)).toEqual(['ADDED a'])
    expect(await watch.next()).toMatchObject({
      type: 'BOOKMARK',
      object: {
        kind: 'Widget',
        metadata: {
          resourceVersion: server.resourceVersion,
          annotations: { 'k8s.io/initial-events-end': 'true' },
        },
      },
    })
    expect(await watch.next()).toMatchObject({ type: 'BOOKMARK' })
    watch.close()
  })

  it('gives the columns of a table only once', async () => {
    await client.create(widget('a'))
    await client.create(widget('b'))

    const watch = await client.watch('', WIDGETS, TABLE)

    expect(get((await watch.next())?.object, 'columnDefinitions')).toHaveLength(5)
    expect(get((await watch.next())?.object, 'columnDefinitions')).toBeNull()
    watch.close()
  })

  it('ends after timeoutSeconds', async () => {
    const watch = await client.watch('timeoutSeconds=1')

    expect(await watch.next()).toBeUndefined()
  })

  it('cuts off a watcher that does not read, and never makes a writer wait for it', async () => {
    await client.watch('')
    const note = 'x'.repeat(100_000)

    for (let size = 0; server.watchCount > 0 && size < 500; size++)
      await client.create(widget(`w${size}`, { note }))

    expect(server.watchCount).toBe(0)
  })
})
