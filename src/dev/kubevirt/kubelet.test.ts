import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SystemClock, toTimestamp } from '../../common/clock.ts'
import { HttpKubeClient } from '../../kube/http-client.ts'
import { captureLog } from '../../testing/log-capture.ts'
import { until } from '../../testing/until.ts'
import { POD, type Pod, VIRTUAL_MACHINE, VIRTUAL_MACHINE_INSTANCE } from '../../virt/kubevirt/resources.ts'
import { ApiServer } from '../apiserver/server.ts'
import { kubevirtCrds } from '../crds.ts'
import { createNode } from '../nodes.ts'
import { Kubelet } from './kubelet.ts'
import { KubeVirtStandIn } from './stand-in.ts'

const REF = { namespace: 'default', name: 'web' }
const clock = new SystemClock()
let server: ApiServer
let client: HttpKubeClient
let kubelet: Kubelet
let standIn: KubeVirtStandIn

beforeEach(async () => {
  server = new ApiServer({}, { crds: kubevirtCrds() })
  await server.start()
  client = HttpKubeClient.fromKubeConfig({ server: server.url }, { clock })
  kubelet = new Kubelet({ client, clock })
  await createNode(client, 'node-1', toTimestamp(clock.now()), await kubelet.start())
})

afterEach(async () => {
  await standIn.stop()
  await kubelet.stop()
  await client.close()
  await server.stop()
})

/** A guest that was asked to start. */
async function start(options: { readonly bootMs: number; readonly hasLaunchers?: boolean }): Promise<void> {
  const deps = { client, clock, log: captureLog().log }
  standIn = new KubeVirtStandIn(deps, { shutdownMs: 0, hasLaunchers: true, ...options })
  await standIn.start()
  const vm = { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', metadata: REF }
  const spec = { runStrategy: 'Manual', template: { spec: { domain: { devices: {} } } } }
  await client.create(VIRTUAL_MACHINE, { ...vm, spec })
  await request('Start')
}

async function request(action: 'Start' | 'Halt'): Promise<void> {
  if (action === 'Halt') await client.mergePatch(VIRTUAL_MACHINE, REF, { spec: { runStrategy: 'Halted' } })
  const patch = { status: { stateChangeRequests: [{ action: 'Start' }] } }
  if (action === 'Start') await client.mergePatch(VIRTUAL_MACHINE, REF, patch, { subresource: 'status' })
}

async function says(word: string): Promise<void> {
  await until(`the VM says ${word}`, async () => {
    return (await client.get(VIRTUAL_MACHINE, REF)).status?.printableStatus === word
  })
}

async function launchers(): Promise<readonly Pod[]> {
  return (await client.list(POD, { namespace: 'default' })).items
}

async function launcher(): Promise<Pod> {
  const found: Pod[] = []
  await until('there is a launcher', async () => {
    found.push(...(await launchers()))
    return found.length > 0
  })
  const [pod] = found
  if (!pod) throw new Error('there is no launcher')
  return pod
}

async function read(name: string, query = 'container=guest-console-log'): Promise<string> {
  return client.getRaw(`/api/v1/namespaces/default/pods/${name}/log?${query}`)
}

describe.each([{ bootMs: 0 }, { bootMs: 2 }])('a guest that boots in $bootMs ms', ({ bootMs }) => {
  it('has a launcher Pod on its node for as long as it runs', async () => {
    await start({ bootMs })
    await says('Running')

    const { metadata, spec } = await launcher()
    expect(metadata.name).toMatch(/^virt-launcher-web-\w{5}$/)
    expect(spec?.nodeName).toBe('node-1')
    await request('Halt')
    await until('the launcher is gone', async () => (await launchers()).length === 0)
  })

  it('has one on another node when it moved there', async () => {
    await start({ bootMs })
    await says('Running')
    await launcher()

    await client.mergePatch(VIRTUAL_MACHINE_INSTANCE, REF, { status: { nodeName: 'node-2' } })

    await until('it has one there alone', async () => {
      const nodes = (await launchers()).map(({ spec }) => spec?.nodeName)
      return nodes.length === 1 && nodes[0] === 'node-2'
    })
  })

  it('has none where none is asked for', async () => {
    await start({ bootMs, hasLaunchers: false })
    await says('Running')

    expect(await launchers()).toEqual([])
  })
})

describe('the log of a launcher Pod', () => {
  it('is the console of its guest', async () => {
    await start({ bootMs: 0 })
    await says('Running')
    const { name } = (await launcher()).metadata

    expect(await read(name)).toMatch(/Booting[^]*web login:\n$/)
    expect(await read(name, 'container=guest-console-log&tailLines=1')).toBe('web login:\n')
    expect(await read(name, 'container=guest-console-log&tailLines=0')).toBe('')
    expect(await read(name, '')).toBe('')
  })

  it('waits for the guest to run', async () => {
    await start({ bootMs: 0 })
    await says('Running')
    const { name } = (await launcher()).metadata
    await standIn.guestPowersOff(REF)
    await says('Stopped')

    await expect(read(name)).rejects.toMatchObject({
      code: 400,
      message: expect.stringContaining('is waiting to start'),
    })
  })

  it('is refused as Kubernetes does', async () => {
    await start({ bootMs: 0 })
    await says('Running')
    const { name } = (await launcher()).metadata

    await expect(read(name, 'container=sidecar')).rejects.toMatchObject({
      code: 400,
      message: `container sidecar is not valid for pod ${name}`,
    })
    await expect(read('nobody')).rejects.toMatchObject({ code: 404, message: 'pods "nobody" not found' })
  })

  it('cannot be read when the kubelet is away', async () => {
    await start({ bootMs: 0 })
    await says('Running')
    const { name } = (await launcher()).metadata

    await kubelet.stop()

    await expect(read(name)).rejects.toMatchObject({
      code: 500,
      message: expect.stringContaining('ECONNREFUSED'),
    })
  })
})
