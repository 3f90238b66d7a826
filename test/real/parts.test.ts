import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { type ControlPlane, startControlPlane } from './parts/control-plane.ts'
import { kubevirtCrdFiles } from './parts/crds.ts'
import { type NatsServer, startNats } from './parts/nats.ts'
import { setupNeeded } from './setup-needed.ts'

const needed = setupNeeded()
if (needed !== undefined) console.log(needed)

describe.skipIf(needed !== undefined)('the control plane', () => {
  let plane: ControlPlane

  beforeAll(async () => {
    plane = await startControlPlane({ users: [{ name: 'system:compute:node-1', groups: ['computes'] }] })
  })
  afterAll(() => plane?.stop())

  const status = async (path: string) => {
    const response = await plane.request(path)
    await response.body?.cancel()
    return response.status
  }
  const makeNamespace = async (name: string) => {
    const body = JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    const headers = { 'content-type': 'application/json' }
    return (await plane.request('/api/v1/namespaces', { method: 'POST', headers, body })).status
  }

  it('is ready, and counts its requests', async () => {
    expect(await status('/readyz')).toBe(200)
    expect(await plane.metrics()).toContain('apiserver_request_total{')
  })

  it('keeps a namespace over an orderly restart of the API server', async () => {
    expect(await makeNamespace('kept')).toBe(201)
    const { url, apiserver } = plane
    const before = apiserver.pid

    await plane.restart()

    expect(await status('/api/v1/namespaces/kept')).toBe(200)
    expect(plane.url).toBe(url)
    expect(apiserver.pid).not.toBe(before)
  })

  it('comes back with its data when both were killed', async () => {
    expect(await makeNamespace('killed')).toBe(201)
    await plane.kill()
    await plane.etcd.kill()

    await plane.restart()

    expect(await status('/api/v1/namespaces/killed')).toBe(200)
  })

  it('knows an extra user, who may do nothing without a role', async () => {
    const token = plane.users.get('system:compute:node-1')?.token
    const response = await plane.request('/api/v1/namespaces', {
      headers: { authorization: `Bearer ${token}` },
    })
    expect(response.status).toBe(403)
    expect(await response.text()).toContain('User \\"system:compute:node-1\\" cannot list')
  })

  it("takes KubeVirt's definitions", async () => {
    for (const file of kubevirtCrdFiles()) {
      const body = readFileSync(file, 'utf8')
      const { metadata } = parse(body) as { metadata: { name: string } }
      const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${metadata.name}?fieldManager=test`
      const headers = { 'content-type': 'application/apply-patch+yaml' }
      expect((await plane.request(path, { method: 'PATCH', headers, body })).status).toBe(201)
    }
    await expect.poll(() => status('/apis/kubevirt.io/v1/virtualmachines'), { timeout: 20_000 }).toBe(200)
  })

  it('says why when the API server cannot start', async () => {
    const start = startControlPlane({ extraArgs: ['--no-such-flag'] })
    await expect(start).rejects.toThrow(/ended before it was ready; its log ends with:[^]*no-such-flag/)
  })
})

describe.skipIf(needed !== undefined)('nats-server', () => {
  let nats: NatsServer

  beforeAll(async () => {
    nats = await startNats()
  })
  afterAll(() => nats?.stop())

  const withClient = async <T>(work: (client: NatsConnection) => Promise<T>): Promise<T> => {
    const client = await connect({ servers: nats.url })
    try {
      return await work(client)
    } finally {
      await client.close()
    }
  }

  it.each([
    { how: 'an orderly restart', end: () => Promise.resolve() },
    { how: 'a kill', end: () => nats.kill() },
  ])('keeps a JetStream message over $how', async ({ how, end }) => {
    const stream = how.replaceAll(' ', '-')
    await withClient(async (client) => {
      await (await jetstreamManager(client)).streams.add({ name: stream, subjects: [`${stream}.>`] })
      await jetstream(client).publish(`${stream}.one`, 'still here')
    })

    await end()
    await nats.restart()

    const kept = await withClient(async (client) => {
      const streams = (await jetstreamManager(client)).streams
      return (await streams.getMessage(stream, { last_by_subj: `${stream}.one` }))?.string()
    })
    expect(kept).toBe('still here')
  })

  it('does not outlive a test process that is killed', async () => {
    const script = `
      const { startNats } = await import(${JSON.stringify(join(import.meta.dirname, 'parts/nats.ts'))})
      const nats = await startNats()
      console.log(JSON.stringify({ port: nats.port, dir: nats.dir }))`
    const runner = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await once(runner.stdout, 'data')
    const { port, dir } = JSON.parse(String(line)) as { port: number; dir: string }
    expect(await answers(port)).toBe(true)

    runner.kill('SIGKILL')

    await expect.poll(() => answers(port), { timeout: 10_000 }).toBe(false)
    await expect.poll(() => existsSync(dir), { timeout: 10_000 }).toBe(false)
  })
})

/** By its port, as a dead child whose parent is gone too may linger in the process table. */
function answers(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = createConnection({ port, host: '127.0.0.1' })
  socket.once('connect', () => resolve(true))
  socket.once('error', () => resolve(false))
  return promise.finally(() => socket.destroy())
}
