import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SystemClock } from '../common/clock.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { ScriptedServer } from '../testing/scripted-server.ts'
import { until } from '../testing/until.ts'
import { isAlreadyExists, isConflict, isGone, isInvalid, isNotFound, isRetryable } from './api-error.ts'
import type { WatchEvent } from './client.ts'
import { HttpKubeClient } from './http-client.ts'
import type { KubeConfig } from './kube-config.ts'
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
const REF = { namespace: 'ns', name: 'a' }
const note = (text = ''): Note => ({ apiVersion: 'g.io/v1', kind: 'Note', metadata: { ...REF }, text })

let server: ScriptedServer
let client: HttpKubeClient

function connect(config: Partial<KubeConfig> = {}, clock = new SystemClock()): HttpKubeClient {
  return HttpKubeClient.fromKubeConfig({ server: server.url, ...config }, { clock, userAgent: 'test/1' })
}

beforeEach(async () => {
  server = await ScriptedServer.start()
  client = connect()
})

afterEach(async () => {
  await client.close()
  await server.stop()
})

describe('requests', () => {
  it('addresses objects, collections, subresources and the core group', async () => {
    const asked: string[] = []
    const core = defineResource<Note>({
      group: '',
      version: 'v1',
      kind: 'Node',
      plural: 'nodes',
      namespaced: false,
    })
    const calls = [
      client.get(NOTE, REF),
      client.create(NOTE, note()),
      client.mergePatch(NOTE, REF, { status: {} }, { subresource: 'status', fieldManager: 'me' }),
      client.get(core, { name: 'n 1' }),
      client.list(NOTE, { labelSelector: 'a in (b,c)', limit: 5 }),
    ]
    for (const call of calls) {
      const request = await server.next()
      asked.push(`${request.method} ${request.path}?${request.query.toString()}`)
      request.answer(200, { ...note(), metadata: {}, items: [] })
      await call
    }
    expect(asked).toEqual([
      'GET /apis/g.io/v1/namespaces/ns/notes/a?',
      'POST /apis/g.io/v1/namespaces/ns/notes?',
      'PATCH /apis/g.io/v1/namespaces/ns/notes/a/status?fieldManager=me',
      'GET /api/v1/nodes/n%201?',
      'GET /apis/g.io/v1/notes?labelSelector=a+in+%28b%2Cc%29&limit=5',
    ])
  })

  it('sends preconditions with patches and deletes', async () => {
    const merge = client.mergePatch(NOTE, REF, { metadata: { labels: { a: 'b' } } }, { resourceVersion: '7' })
    const merged = await server.next()
    expect(merged.headers['content-type']).toBe('application/merge-patch+json')
    expect(JSON.parse(merged.body)).toEqual({ metadata: { labels: { a: 'b' }, resourceVersion: '7' } })
    merged.answer(200, note())
    await merge

    const json = client.jsonPatch(NOTE, REF, [{ op: 'remove', path: '/text' }], { resourceVersion: '7' })
    const patched = await server.next()
    expect(JSON.parse(patched.body)).toEqual([
      { op: 'test', path: '/metadata/resourceVersion', value: '7' },
      { op: 'remove', path: '/text' },
    ])
    patched.answer(200, note())
    await json

    const deletion = client.delete(NOTE, REF, {
      uid: 'u',
      propagationPolicy: 'Foreground',
      gracePeriodSeconds: 0,
    })
    const deleted = await server.next()
    expect(JSON.parse(deleted.body)).toMatchObject({
      preconditions: { uid: 'u' },
      propagationPolicy: 'Foreground',
      gracePeriodSeconds: 0,
    })
    deleted.answer(200, {})
    await deletion
  })

  it.each([
    { code: 404, reason: 'NotFound', is: isNotFound },
    { code: 409, reason: 'Conflict', is: isConflict },
    { code: 409, reason: 'AlreadyExists', is: isAlreadyExists },
    { code: 410, reason: 'Expired', is: isGone },
    { code: 422, reason: 'Invalid', is: isInvalid },
    { code: 500, reason: 'InternalError', is: isRetryable },
    { code: 429, reason: 'TooManyRequests', is: isRetryable },
  ])('tells $reason apart', async ({ code, reason, is }) => {
    const call = client.create(NOTE, note()).catch((error: unknown) => error)
    ;(await server.next()).fail(code, reason)
    const error = await call
    const found = [isNotFound, isConflict, isAlreadyExists, isGone, isInvalid, isRetryable].filter((f) =>
      f(error),
    )
    expect(found).toEqual([is])
    expect(error).toMatchObject({ name: 'ApiError', code, reason, message: `scripted ${reason}` })
  })

  it('calls an unreachable server retryable, and says which request it was', async () => {
    await server.stop()
    const error: unknown = await client.create(NOTE, note()).catch((reason: unknown) => reason)
    expect(isRetryable(error)).toBe(true)
    expect(error).toMatchObject({ code: 0, reason: 'Unreachable' })
    expect(String(error)).toMatch(/POST http.*notes.*ECONNREFUSED/)
    server = await ScriptedServer.start()
  })

  it('waits as long as a throttling server asks, then sends the same again', async () => {
    const clock = new FakeClock()
    client = connect({}, clock)
    const call = client.create(NOTE, note('x'))
    ;(await server.next()).fail(429, 'TooManyRequests', { 'retry-after': '3' })
    await until('it waits', () => clock.timers === 1)
    await clock.advance(2_999)
    expect(server.backlog).toBe(0)
    await clock.advance(1)
    const again = await server.next()
    expect(JSON.parse(again.body)).toEqual(note('x'))
    again.answer(201, note('x'))
    await expect(call).resolves.toEqual(note('x'))
  })

  it('reads again when a kept-alive connection was just closed, but never writes twice', async () => {
    const read = client.get(NOTE, REF)
    ;(await server.next()).reset()
    ;(await server.next()).answer(200, note('here'))
    await expect(read).resolves.toMatchObject({ text: 'here' })

    const write = client.create(NOTE, note()).catch((error: unknown) => error)
    ;(await server.next()).reset()
    expect(isRetryable(await write)).toBe(true)
    expect(server.backlog).toBe(0)
  })

  it('gives a request up with the reason of its signal', async () => {
    const giveUp = new AbortController()
    const call = client.get(NOTE, REF, { signal: giveUp.signal })
    await server.next()
    giveUp.abort(new Error('enough'))
    await expect(call).rejects.toThrow('enough')
  })

  it('reads a token file, and reads it anew when the server refuses the token', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kube-'))
    const path = join(folder, 'token')
    writeFileSync(path, 'old\n')
    client = connect({ user: { kind: 'tokenFile', path, headers: {} } })
    const call = client.getRaw('/version')
    const first = await server.next()
    expect(first.headers).toMatchObject({ authorization: 'Bearer old', 'user-agent': 'test/1' })
    writeFileSync(path, 'new\n')
    first.fail(401, 'Unauthorized')
    const second = await server.next()
    expect(second.headers.authorization).toBe('Bearer new')
    second.answer(200, {})
    await expect(call).resolves.toBe('{}')
    rmSync(folder, { recursive: true })
  })
})

describe('watch', () => {
  const events: WatchEvent<Note>[] = []
  const follow = async (signal?: AbortSignal): Promise<void> => {
    events.length = 0
    for await (const event of client.watch(NOTE, { resourceVersion: '1', signal })) events.push(event)
  }

  it('puts characters together that were split over chunks', async () => {
    const following = follow()
    const request = await server.next()
    const bytes = Buffer.from(`${JSON.stringify({ type: 'ADDED', object: note('Grüße 🚀') })}\n`)
    for (const byte of bytes) {
      request.write(Uint8Array.of(byte))
      await new Promise((resolve) => setImmediate(resolve))
    }
    request.end()
    await following
    expect(events).toEqual([{ type: 'ADDED', object: note('Grüße 🚀') }])
  })

  it('takes several events from one chunk and skips empty lines', async () => {
    const following = follow()
    const request = await server.next()
    const line = JSON.stringify({ type: 'MODIFIED', object: note() })
    request.write(`${line}\n\n${line}\n${line}\n`)
    request.end()
    await following
    expect(events).toHaveLength(3)
  })

  it('reports half a line before the end as a break', async () => {
    const following = follow().catch((error: unknown) => error)
    const request = await server.next()
    request.write(`${JSON.stringify({ type: 'ADDED', object: note() })}\n`, '{"type":"MODI')
    request.end()
    expect(isRetryable(await following)).toBe(true)
    expect(events).toHaveLength(1)
  })

  it('throws what an ERROR event says', async () => {
    const following = follow().catch((error: unknown) => error)
    ;(await server.next()).send({
      type: 'ERROR',
      object: { code: 410, reason: 'Expired', message: 'too old' },
    })
    expect(isGone(await following)).toBe(true)
  })

  it('ends quietly when it is aborted', async () => {
    const stop = new AbortController()
    const following = follow(stop.signal)
    const request = await server.next()
    request.send({ type: 'ADDED', object: note() })
    await until('the event is there', () => events.length === 1)
    stop.abort()
    await expect(following).resolves.toBeUndefined()
    await until('the server sees it', () => request.isGone)
  })

  it('leaves all request connections free, however many watches there are', async () => {
    const stop = new AbortController()
    const watches = Array.from({ length: 40 }, async () => follow(stop.signal))
    for (let opened = 0; opened < 40; opened++) (await server.next()).write()
    const call = client.get(NOTE, REF)
    ;(await server.next()).answer(200, note())
    await expect(call).resolves.toEqual(note())
    stop.abort()
    await Promise.all(watches)
  })
})

it('shares its TLS connections between requests', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kube-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '1', '-nodes']
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  })
  let connections = 0
  const https = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_request, response) => {
    response.end(JSON.stringify(note()))
  })
  https.on('secureConnection', () => connections++)
  await new Promise<void>((resolve) => {
    https.listen(0, '127.0.0.1', resolve)
  })
  const address = https.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const tls = HttpKubeClient.fromKubeConfig(
    { server: `https://127.0.0.1:${port}`, tls: { ca: readFileSync(cert, 'utf8') } },
    { clock: new SystemClock() },
  )
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 32 }, () => tls.get(NOTE, REF)))
  }
  expect(connections).toBeGreaterThan(1)
  expect(connections).toBeLessThanOrEqual(16)
  await tls.close()
  await new Promise((resolve) => https.close(resolve))
  rmSync(folder, { recursive: true })
})
