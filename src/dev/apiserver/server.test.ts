import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { get, type JsonObject } from './json.ts'
import { ApiServer } from './server.ts'
import { startServer, type TestClient, widget, WIDGETS } from './test-client.ts'

let server: ApiServer
let client: TestClient

beforeEach(async () => {
  ;({ server, client } = await startServer())
})
afterEach(() => server.stop())

it('is up within 300 ms', async () => {
  const another = new ApiServer()
  const before = performance.now()

  await another.start()

  expect(performance.now() - before).toBeLessThan(300)
  await another.stop()
})

describe('a request that makes no sense', () => {
  it.each([
    [404, 'NotFound', 'GET /apis/nope/v1/things', undefined],
    [404, 'NotFound', 'GET /apis/test.dev/v1/nothings', undefined],
    [404, 'NotFound', 'GET /foo', undefined],
    [404, 'NotFound', `GET ${WIDGETS}/w/scale`, undefined],
    [405, 'MethodNotAllowed', `PUT ${WIDGETS}`, widget('w')],
    [405, 'MethodNotAllowed', `POST ${WIDGETS}/w`, widget('w')],
    [405, 'MethodNotAllowed', `DELETE ${WIDGETS}/w/status`, undefined],
    [400, 'BadRequest', `POST ${WIDGETS}`, '{"apiVersion'],
    [400, 'BadRequest', `POST ${WIDGETS}`, ''],
    [400, 'BadRequest', `POST ${WIDGETS}`, '[]'],
    [413, 'RequestEntityTooLarge', `POST ${WIDGETS}`, 'x'.repeat(3 * 1024 * 1024 + 1)],
    [422, 'Invalid', `POST ${WIDGETS}?fieldValidation=Bad`, widget('w')],
    [422, 'Invalid', `POST ${WIDGETS}?dryRun=Some`, widget('w')],
  ])('is answered with a Status %i %s (%#)', async (code, reason, line, body) => {
    const [method = '', path = ''] = line.split(' ')

    const answer = await client.send(method, path, body)

    expect(answer.code).toBe(code)
    expect(answer.body).toMatchObject({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code })
  })

  it('of an unknown media type is refused with the ones that are known', async () => {
    const text = await client.send('POST', WIDGETS, 'x', { 'content-type': 'text/plain' })
    const apply = await client.send('PATCH', `${WIDGETS}/w`, '{}', {
      'content-type': 'application/apply-patch+yaml',
    })
    const protobuf = await client.get(WIDGETS, { accept: 'application/vnd.kubernetes.protobuf' })

    expect(text.code).toBe(415)
    expect(apply.code).toBe(415)
    expect(apply.body['message']).toContain('server-side apply is not served')
    expect(protobuf.code).toBe(406)
  })
})

describe('faults', () => {
  it('refuse the matching requests the given number of times', async () => {
    server.faults.refuse({ verb: 'create', resource: 'widgets' }, 503, 1)

    expect((await client.get(WIDGETS)).code).toBe(200)
    expect((await client.create(widget('w'))).code).toBe(503)
    expect((await client.create(widget('w'))).code).toBe(201)
  })

  it('lose the answer of a request that was carried out', async () => {
    server.faults.loseAnswer({ verb: 'create' }, 1)

    await expect(client.create(widget('w'))).rejects.toThrow('fetch failed')

    expect((await client.get(`${WIDGETS}/w`)).code).toBe(200)
  })

  it('cut the connection before anything is done', async () => {
    const disarm = server.faults.cut((request) => request.name === 'w')
    await client.create(widget('w'))

    await expect(client.patch('w', { spec: { size: 2 } })).rejects.toThrow('fetch failed')
    disarm()

    expect(get((await client.get(`${WIDGETS}/w`)).body, 'spec', 'size')).toBeUndefined()
  })

  it('drop watches in mid-stream', async () => {
    const watch = await client.watch('')

    server.dropWatches()

    await expect(watch.next()).rejects.toThrow()
  })
})

it('keeps objects and port over pause and resume, and is unreachable in between', async () => {
  await client.create(widget('w'))
  const { url } = server

  await server.pause()
  await expect(client.get(WIDGETS)).rejects.toThrow('fetch failed')
  await server.resume()

  expect(server.url).toBe(url)
  expect((await client.get(`${WIDGETS}/w`)).code).toBe(200)
})

it('publishes its kinds for discovery and for kubectl explain', async () => {
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json'
  const aggregated = await client.get('/apis', { accept })
  const resources = await client.get('/apis/test.dev/v1')
  const openApi = await client.get('/openapi/v3/apis/test.dev/v1')

  const group = (get(aggregated.body, 'items') as JsonObject[]).find(
    (item) => get(item, 'metadata', 'name') === 'test.dev',
  )
  expect(group).toMatchObject({
    versions: [{ version: 'v1', resources: [{ resource: 'widgets', scope: 'Namespaced' }] }],
  })
  expect(get(resources.body, 'resources')).toMatchObject([
    { name: 'widgets', kind: 'Widget', shortNames: ['wd'] },
    { name: 'widgets/status' },
  ])
  expect(get(openApi.body, 'components', 'schemas', 'dev.test.v1.Widget')).toMatchObject({
    description: 'A widget.',
    'x-kubernetes-group-version-kind': [{ group: 'test.dev', version: 'v1', kind: 'Widget' }],
  })
})

const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0

describe.runIf(hasKubectl)('kubectl', () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kilonova-apiserver-'))
    writeFileSync(join(folder, 'kubeconfig'), server.kubeconfig())
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  async function kubectl(args: string[], input = ''): Promise<string> {
    const { execFile } = await import('node:child_process')
    return new Promise((resolve) => {
      const options = ['--kubeconfig', join(folder, 'kubeconfig'), '--cache-dir', join(folder, 'cache')]
      const child = execFile('kubectl', [...options, ...args], (_error, stdout, stderr) =>
        resolve(stdout + stderr),
      )
      child.stdin?.end(input)
    })
  }

  it('applies, dry-runs, explains, waits, describes and deletes', async () => {
    const manifest = JSON.stringify(widget('w', { size: 1 }))

    expect(await kubectl(['apply', '-f', '-'], manifest)).toBe('widget.test.dev/w created\n')
    expect(await kubectl(['apply', '-f', '-'], manifest)).toBe('widget.test.dev/w unchanged\n')
    expect(
      await kubectl(['apply', '--dry-run=server', '-f', '-'], manifest.replace('"size":1', '"size":2')),
    ).toBe('widget.test.dev/w configured (server dry run)\n')
    expect(await kubectl(['apply', '-f', '-'], manifest.replace('"size":1', '"bogus":2'))).toContain(
      'unknown field "spec.bogus"',
    )
    expect(await kubectl(['get', 'wd', '-o', 'wide'])).toMatch(/^NAME +FLAVOR +READY +HOST +AGE\nw +a +/)
    expect(await kubectl(['explain', 'widget.spec.power'])).toContain('FIELD: power <string>')
    await client.patch('w', { status: { host: 'h1' } }, '/status')
    expect(await kubectl(['wait', '--for=jsonpath={.status.host}=h1', 'wd/w', '--timeout=5s'])).toContain(
      'condition met',
    )
    expect(await kubectl(['describe', 'wd', 'w'])).toContain('Host:   h1')
    expect(await kubectl(['create', 'namespace', 'team'])).toBe('namespace/team created\n')
    expect(await kubectl(['delete', 'wd', 'w'])).toContain('"w" deleted')
  }, 30_000)
})
