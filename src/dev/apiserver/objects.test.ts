import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { get, type Json } from './json.ts'
import type { ApiServer } from './server.ts'
import { startServer, type TestClient, widget, WIDGETS } from './test-client.ts'

let server: ApiServer
let client: TestClient

beforeEach(async () => {
  ;({ server, client } = await startServer())
})
afterEach(() => server.stop())

const meta = (body: Json, key: string): Json | undefined => get(body, 'metadata', key)

describe('create', () => {
  it('fills in metadata, defaults and the default status, and drops the status that was sent', async () => {
    const { code, body } = await client.create({
      ...widget('w', { nets: [{}] }),
      status: { state: 'hacked' },
    })

    expect(code).toBe(201)
    expect(body).toMatchObject({
      metadata: { name: 'w', namespace: 'default', generation: 1 },
      spec: { flavor: 'a', power: 'On', nets: [{ ip: 'auto' }] },
      status: { state: 'new' },
    })
    expect(meta(body, 'uid')).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('makes up a name from generateName', async () => {
    const { body } = await client.create(widget('', {}, { generateName: 'gen-' }))

    expect(meta(body, 'name')).toMatch(/^gen-[a-z0-9]{5}$/)
  })

  it('prunes unknown fields with a warning, but not where the schema preserves them', async () => {
    const { body, headers } = await client.create(widget('w', { foo: 1, free: { any: { thing: true } } }))

    expect(get(body, 'spec', 'foo')).toBeUndefined()
    expect(get(body, 'spec', 'free')).toEqual({ any: { thing: true } })
    expect(headers.get('warning')).toBe('299 - "unknown field \\"spec.foo\\""')
  })

  it('drops a null where none is allowed and keeps one where it is', async () => {
    const { body } = await client.create(widget('w', { size: null, power: null, note: null }))

    expect(body['spec']).toEqual({ flavor: 'a', power: 'On', note: null })
  })

  it.each([
    ['a taken name', widget('taken'), 409, 'widgets.test.dev "taken" already exists'],
    ['another kind', { ...widget('w'), kind: 'Foo' }, 422, 'kind: Invalid value: "Foo": must be Widget'],
    [
      'another version',
      { ...widget('w'), apiVersion: 'test.dev/v2' },
      400,
      'does not match the expected API version',
    ],
    ['another namespace', widget('w', {}, { namespace: 'x' }), 400, 'does not match the namespace sent'],
    ['metadata of a wrong type', widget('w', {}, { labels: { a: 5 } }), 400, 'json: cannot unmarshal'],
    [
      'a resourceVersion',
      widget('w', {}, { resourceVersion: '1' }),
      500,
      'resourceVersion should not be set',
    ],
    ['no name', widget(''), 422, 'metadata.name: Required value: name or generateName is required'],
    ['an illegal name', widget('A_b'), 422, 'a lowercase RFC 1123 subdomain must consist of'],
    ['an illegal label', widget('w', {}, { labels: { 'a b': 'c' } }), 422, 'name part must consist of'],
  ])('refuses %s', async (_what, object, code, message) => {
    await client.create(widget('taken'))

    const answer = await client.create(object)

    expect(answer.code).toBe(code)
    expect(answer.body).toMatchObject({ kind: 'Status', status: 'Failure' })
    expect(answer.body['message']).toContain(message)
  })

  it('refuses a namespace that does not exist', async () => {
    const { code, body } = await client.create(widget('w'), '', WIDGETS.replace('default', 'nowhere'))

    expect(code).toBe(404)
    expect(body['message']).toBe('namespaces "nowhere" not found')
  })

  it('stores nothing on a dry run', async () => {
    const dry = await client.create(widget('w'), '?dryRun=All')

    expect(dry.code).toBe(201)
    expect((await client.get(`${WIDGETS}/w`)).code).toBe(404)
  })
})

describe('update', () => {
  beforeEach(() => client.create(widget('w')))

  it('raises the generation for a change of spec only', async () => {
    const labelled = await client.patch('w', { metadata: { labels: { a: 'b' } } })
    const resized = await client.patch('w', { spec: { size: 2 } })

    expect(meta(labelled.body, 'generation')).toBe(1)
    expect(meta(resized.body, 'generation')).toBe(2)
  })

  it('leaves the resource version alone when nothing changes', async () => {
    const before = await client.get(`${WIDGETS}/w`)

    const after = await client.patch('w', { spec: { flavor: 'a' }, status: { state: 'ignored' } })

    expect(after.body).toEqual(before.body)
  })

  it('writes only status through the status subresource', async () => {
    const patch = { spec: { size: 3 }, metadata: { labels: { a: 'b' } }, status: { host: 'h1' } }

    const { body } = await client.patch('w', patch, '/status')

    expect(body).toMatchObject({ metadata: { generation: 1 }, status: { state: 'new', host: 'h1' } })
    expect(get(body, 'spec', 'size')).toBeUndefined()
    expect(meta(body, 'labels')).toBeUndefined()
  })

  it('answers Conflict to an old resource version, in a PUT and in a merge patch', async () => {
    const { body } = await client.get(`${WIDGETS}/w`)
    await client.patch('w', { spec: { size: 2 } })

    const put = await client.send('PUT', `${WIDGETS}/w`, body)
    const patch = await client.patch('w', {
      metadata: { resourceVersion: meta(body, 'resourceVersion') ?? '' },
      spec: { size: 3 },
    })

    for (const answer of [put, patch]) {
      expect(answer.code).toBe(409)
      expect(answer.body).toMatchObject({
        reason: 'Conflict',
        message:
          'Operation cannot be fulfilled on widgets.test.dev "w": the object has been modified; please apply your changes to the latest version and try again',
      })
    }
  })

  it('wants a resource version in a PUT of a custom resource', async () => {
    const { code, body } = await client.send('PUT', `${WIDGETS}/w`, widget('w'))

    expect(code).toBe(422)
    expect(body['message']).toContain(
      'metadata.resourceVersion: Invalid value: 0: must be specified for an update',
    )
  })

  it('applies a JSON patch whole or not at all', async () => {
    const headers = { 'content-type': 'application/json-patch+json' }
    const size = { op: 'add', path: '/spec/size', value: 2 }
    const failing = { op: 'test', path: '/spec/flavor', value: 'other' }

    const refused = await client.send('PATCH', `${WIDGETS}/w`, [size, failing], headers)
    const applied = await client.send('PATCH', `${WIDGETS}/w`, [size], headers)

    expect(refused.code).toBe(422)
    expect(applied.body).toMatchObject({ metadata: { generation: 2 }, spec: { size: 2 } })
  })

  it('merges the conditions of a node by type in a strategic merge patch', async () => {
    const status = {
      conditions: [
        { type: 'Ready', status: 'False' },
        { type: 'Disk', status: 'False' },
      ],
    }
    await client.create(
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' }, status },
      '',
      '/api/v1/nodes',
    )

    const patch = { status: { conditions: [{ type: 'Ready', status: 'True' }] } }
    const headers = { 'content-type': 'application/strategic-merge-patch+json' }
    const { body } = await client.send('PATCH', '/api/v1/nodes/n/status', patch, headers)

    expect(get(body, 'status', 'conditions')).toEqual([
      { type: 'Ready', status: 'True' },
      { type: 'Disk', status: 'False' },
    ])
  })
})

describe('delete', () => {
  it('keeps an object with finalizers until the last one is removed', async () => {
    await client.create(widget('w', {}, { finalizers: ['test.dev/a', 'test.dev/b'] }))

    const deleted = await client.delete('w')
    const added = await client.patch('w', { metadata: { finalizers: ['test.dev/a', 'test.dev/c'] } })
    const half = await client.patch('w', { metadata: { finalizers: ['test.dev/b'] } })
    const last = await client.patch('w', { metadata: { finalizers: null } })

    expect(deleted.body).toMatchObject({
      kind: 'Widget',
      metadata: { generation: 2, deletionGracePeriodSeconds: 0 },
    })
    expect(meta(deleted.body, 'deletionTimestamp')).toBeDefined()
    expect(added.body['message']).toContain('no new finalizers can be added if the object is being deleted')
    expect(half.code).toBe(200)
    expect(last.code).toBe(200)
    expect((await client.get(`${WIDGETS}/w`)).code).toBe(404)
  })

  it('heeds the uid and resourceVersion preconditions', async () => {
    const { body } = await client.create(widget('w'))

    const wrongUid = await client.delete('w', { preconditions: { uid: 'other' } })
    const wrongVersion = await client.delete('w', { preconditions: { resourceVersion: '1' } })
    const right = await client.delete('w', { preconditions: { uid: meta(body, 'uid') ?? '' } })

    expect(wrongUid.code).toBe(409)
    expect(wrongVersion.code).toBe(409)
    expect(right.body).toMatchObject({ status: 'Success', details: { name: 'w', kind: 'widgets' } })
  })

  async function createOwned(finalizers: string[] = []): Promise<void> {
    const { body } = await client.create(widget('owner'))
    const uid = meta(body, 'uid') ?? ''
    const owner = { apiVersion: 'test.dev/v1', kind: 'Widget', name: 'owner', uid, blockOwnerDeletion: true }
    await client.create(widget('owned', {}, { ownerReferences: [owner], finalizers }))
  }

  it('collects what the deleted object owned', async () => {
    await createOwned()
    const watch = await client.watch('')
    await watch.take(2)

    await client.delete('owner')

    expect(await watch.take(2)).toEqual(['DELETED owner', 'DELETED owned'])
    watch.close()
  })

  it('collects what names an owner that never was, unless its kind is not served', async () => {
    const owner = { apiVersion: 'test.dev/v1', kind: 'Widget', name: 'ghost', uid: 'ghost' }
    const watch = await client.watch('')

    await client.create(widget('foreign', {}, { ownerReferences: [{ ...owner, kind: 'Unknown' }] }))
    await client.create(widget('owned', {}, { ownerReferences: [owner] }))

    expect(await watch.take(3)).toEqual(['ADDED foreign', 'ADDED owned', 'DELETED owned'])
    watch.close()
  })

  it('deletes the owned first under the foreground policy', async () => {
    await createOwned()
    const watch = await client.watch('')
    await watch.take(2)

    await client.delete('owner', { propagationPolicy: 'Foreground' })

    expect(await watch.take(3)).toEqual(['MODIFIED owner', 'DELETED owned', 'DELETED owner'])
    watch.close()
  })

  it('cuts the owned loose under the orphan policy', async () => {
    await createOwned()
    const watch = await client.watch('')
    await watch.take(2)

    await client.delete('owner', { propagationPolicy: 'Orphan' })

    expect(await watch.take(3)).toEqual(['MODIFIED owner', 'MODIFIED owned', 'DELETED owner'])
    const { body } = await client.get(`${WIDGETS}/owned`)
    expect(meta(body, 'ownerReferences')).toBeUndefined()
    watch.close()
  })

  it('empties a deleted namespace and refuses to create in it meanwhile', async () => {
    const path = WIDGETS.replace('default', 'doomed')
    await client.create(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'doomed' } },
      '',
      '/api/v1/namespaces',
    )
    await client.create(widget('w', {}, { finalizers: ['test.dev/a'] }), '', path)
    const watch = await client.watch('fieldSelector=metadata.name=doomed', '/api/v1/namespaces')
    await watch.take(1)

    await client.send('DELETE', '/api/v1/namespaces/doomed')
    const refused = await client.create(widget('late'), '', path)
    await client.send(
      'PATCH',
      `${path}/w`,
      { metadata: { finalizers: null } },
      {
        'content-type': 'application/merge-patch+json',
      },
    )

    expect(refused.body['message']).toContain('because it is being terminated')
    expect(await watch.take(2)).toEqual(['MODIFIED doomed', 'DELETED doomed'])
    watch.close()
  })

  it('deletes a selected collection', async () => {
    await client.create(widget('a', {}, { labels: { x: '1' } }))
    await client.create(widget('b'))

    await client.send('DELETE', `${WIDGETS}?labelSelector=x`)

    const { body } = await client.get(WIDGETS)
    expect(get(body, 'items')).toMatchObject([{ metadata: { name: 'b' } }])
  })
})
