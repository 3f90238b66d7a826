import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SystemClock } from '../../common/clock.ts'
import { isNotFound } from '../../kube/api-error.ts'
import { HttpKubeClient } from '../../kube/http-client.ts'
import { captureLog } from '../../testing/log-capture.ts'
import { makeNode } from '../../testing/make-node.ts'
import { recordWrites } from '../../testing/recording-client.ts'
import { until } from '../../testing/until.ts'
import {
  type StateChangeRequest,
  VIRTUAL_MACHINE,
  VIRTUAL_MACHINE_INSTANCE,
  type VirtualMachine,
  type VirtualMachineInstance,
} from '../../virt/kubevirt/resources.ts'
import { ApiServer } from '../apiserver/server.ts'
import { GUEST_ANNOTATION, NODE_GUESTS_ANNOTATION } from './behaviour.ts'
import { kubevirtCrds } from '../crds.ts'
import { KubeVirtStandIn, type KubeVirtStandInOptions } from './stand-in.ts'

const REF = { namespace: 'default', name: 'web' }
const clock = new SystemClock()
const writes: string[] = []
let server: ApiServer
let client: HttpKubeClient
let standIn: KubeVirtStandIn

beforeEach(async () => {
  server = new ApiServer({}, { crds: kubevirtCrds() })
  await server.start()
  client = makeClient()
  writes.length = 0
})

afterEach(async () => {
  await standIn.stop()
  await client.close()
  await server.stop()
})

function makeClient(): HttpKubeClient {
  return HttpKubeClient.fromKubeConfig({ server: server.url }, { clock })
}

async function start(options: KubeVirtStandInOptions = { bootMs: 2, shutdownMs: 1 }): Promise<void> {
  const deps = { client: recordWrites(makeClient(), writes), clock, log: captureLog().log }
  standIn = new KubeVirtStandIn(deps, options)
  await standIn.start()
}

async function makeVm(runStrategy = 'Manual'): Promise<VirtualMachine> {
  return client.create(VIRTUAL_MACHINE, {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: REF,
    spec: {
      runStrategy,
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { nodeSelector: {}, terminationGracePeriodSeconds: 3600, domain: { devices: {} } },
      },
    },
  })
}

async function request(...stateChangeRequests: readonly StateChangeRequest[]): Promise<void> {
  await client.mergePatch(
    VIRTUAL_MACHINE,
    REF,
    { status: { stateChangeRequests } },
    { subresource: 'status' },
  )
}

async function vm(): Promise<VirtualMachine | undefined> {
  return orUndefined(client.get(VIRTUAL_MACHINE, REF))
}

async function vmi(): Promise<VirtualMachineInstance | undefined> {
  return orUndefined(client.get(VIRTUAL_MACHINE_INSTANCE, REF))
}

async function orUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

async function says(printableStatus: string): Promise<void> {
  await until(`the VM says ${printableStatus}`, async () => {
    return (await vm())?.status?.printableStatus === printableStatus
  })
}

async function startGuest(): Promise<VirtualMachineInstance> {
  await makeVm()
  await request({ action: 'Start' })
  await says('Running')
  const guest = await vmi()
  if (!guest) throw new Error('there is no VMI')
  return guest
}

describe('KubeVirtStandIn', () => {
  it('leaves a Manual VM stopped until it is asked', async () => {
    await start()
    await makeNode(client, 'node-1')
    await makeVm()

    await says('Stopped')
    expect(await vmi()).toBeUndefined()
  })

  it('starts a VM through all phases, as KubeVirt does', async () => {
    await start()
    await makeNode(client, 'node-1')

    const guest = await startGuest()

    expect(guest.status?.phaseTransitionTimestamps?.map(({ phase }) => phase)).toEqual([
      'Pending',
      'Scheduling',
      'Scheduled',
      'Running',
    ])
    expect(guest.status).toMatchObject({
      nodeName: 'node-1',
      interfaces: [{ name: 'default', ipAddress: expect.stringMatching(/^10\.244\./) }],
    })
    expect(guest.metadata).toMatchObject({
      labels: { app: 'web' },
      finalizers: ['kubevirt.io/virtualMachineControllerFinalize', 'foregroundDeleteVirtualMachine'],
      ownerReferences: [{ kind: 'VirtualMachine', name: 'web' }],
    })
    expect((await vm())?.status).toMatchObject({ created: true, ready: true })
    expect((await vm())?.status?.stateChangeRequests).toBeUndefined()
  })

  it('stops a VM by its VMI, and heeds no request for an earlier one', async () => {
    await start()
    await makeNode(client, 'node-1')
    const guest = await startGuest()

    await request({ action: 'Stop', uid: 'an-earlier-one' })
    await until('that is dropped', async () => (await vm())?.status?.stateChangeRequests === undefined)
    expect((await vmi())?.metadata.deletionTimestamp).toBeUndefined()

    await request({ action: 'Stop', uid: guest.metadata.uid ?? '' })
    await says('Stopped')
    await until('the VMI is gone', async () => (await vmi()) === undefined)
    expect((await vm())?.status).toMatchObject({ created: false, ready: false })
  })

  it.each([
    { word: 'poweroff', phase: 'Succeeded' },
    { word: 'crash', phase: 'Failed' },
  ])('lets a guest $word by annotation and keeps its VMI', async ({ word, phase }) => {
    await start()
    await makeNode(client, 'node-1')
    await startGuest()

    const patch = { metadata: { annotations: { [GUEST_ANNOTATION]: word } } }
    await client.mergePatch(VIRTUAL_MACHINE_INSTANCE, REF, patch)

    await says('Stopped')
    expect((await vmi())?.status?.phase).toBe(phase)
  })

  it('starts a guest again for a Stop and a Start', async () => {
    await start()
    await makeNode(client, 'node-1')
    const before = await startGuest()
    await standIn.guestCrashes(REF)
    await says('Stopped')

    await request({ action: 'Stop', uid: before.metadata.uid ?? '' }, { action: 'Start' })

    await says('Running')
    expect((await vmi())?.metadata.uid).not.toBe(before.metadata.uid)
  })

  it('kills a stubborn guest when its grace is taken away', async () => {
    await start()
    await makeNode(client, 'node-1')
    await startGuest()
    await standIn.setGuest(REF, 'stubborn')
    const path = '/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachines/web/stop'

    expect(await standIn.handleSubresource('PUT', path, {})).toMatchObject({ code: 202 })
    await says('Stopping')
    expect(await standIn.handleSubresource('PUT', path, { gracePeriod: 0 })).toMatchObject({ code: 202 })

    await says('Stopped')
    expect(await standIn.handleSubresource('PUT', path, { gracePeriod: 0 })).toMatchObject({ code: 409 })
  })

  it.each([
    { path: '/virtualmachines/nobody/stop', method: 'PUT', code: 404 },
    { path: '/virtualmachines/nobody/stop', method: 'GET', code: 405 },
  ])('answers $method $path with $code', async ({ path, method, code }) => {
    await start()
    const whole = `/apis/subresources.kubevirt.io/v1/namespaces/default${path}`

    expect(await standIn.handleSubresource(method, whole, {})).toMatchObject({ code })
    expect(await standIn.handleSubresource(method, '/api/v1/pods', {})).toBeUndefined()
  })

  it('waits for a node, and goes on when there is one', async () => {
    await start()
    await makeVm()
    await request({ action: 'Start' })
    await says('ErrorUnschedulable')

    await makeNode(client, 'node-1')

    await says('Running')
  })

  it.each([
    { word: 'unschedulable', status: 'ErrorUnschedulable' },
    { word: 'image-pull-error', status: 'ErrImagePull' },
    { word: 'never-boots', status: 'Starting' },
    { word: 'slow-boot=3600s', status: 'Starting' },
    { word: 'crashes-at-boot', status: 'Stopped' },
  ])('says $status on a node where guests are $word', async ({ word, status }) => {
    await start()
    await makeNode(client, 'node-1', { annotations: { [NODE_GUESTS_ANNOTATION]: word } })
    await makeVm()
    await request({ action: 'Start' })

    await until('the guest was made', async () => (await vmi()) !== undefined)
    await says(status)
  })

  it('deletes the VMI before the VM', async () => {
    await start()
    await makeNode(client, 'node-1')
    await startGuest()

    await client.delete(VIRTUAL_MACHINE, REF)

    await until('the VM is gone', async () => (await vm()) === undefined)
    expect(await vmi()).toBeUndefined()
  })

  it('takes up again what it finds when it is started anew', async () => {
    await start({ bootMs: 3_600_000 })
    await makeNode(client, 'node-1')
    await makeVm()
    await request({ action: 'Start' })
    await until('the guest was made', async () => (await vmi()) !== undefined)
    await standIn.stop()

    await start()

    await says('Running')
  })

  it('runs a VM without our labels by its own run strategy', async () => {
    await start()
    await makeNode(client, 'node-1')
    await makeVm('Always')
    await says('Running')
    const first = (await vmi())?.metadata.uid

    await standIn.guestPowersOff(REF)

    await until('there is another VMI', async () => {
      const guest = await vmi()
      return guest?.status?.phase === 'Running' && guest.metadata.uid !== first
    })
  })

  it('writes least when guests take no time: two for a start, two for a stop', async () => {
    await start({ bootMs: 0, shutdownMs: 0 })
    await makeNode(client, 'node-1')

    const guest = await startGuest()
    expect(writes.splice(0)).toEqual(['create virtualmachineinstances', 'mergePatch virtualmachines'])

    await request({ action: 'Stop', uid: guest.metadata.uid ?? '' })
    await says('Stopped')
    expect(writes.splice(0)).toEqual(['delete virtualmachineinstances', 'mergePatch virtualmachines'])

    await client.delete(VIRTUAL_MACHINE, REF)
    await until('the VM is gone', async () => (await vm()) === undefined)
    expect(writes).toEqual([])
  })

  it('gives each guest an address of its own, and takes it back', async () => {
    await start({ bootMs: 0, shutdownMs: 0 })
    await makeNode(client, 'node-1')
    const names = Array.from({ length: 40 }, (_, index) => `web-${index}`)
    for (const name of names) {
      const vm = await makeNamed(name)
      await client.mergePatch(
        VIRTUAL_MACHINE,
        { namespace: 'default', name: vm.metadata.name },
        { status: { stateChangeRequests: [{ action: 'Start' }] } },
        { subresource: 'status' },
      )
    }

    await until('all run', async () => (await addresses()).length === names.length)
    expect(new Set(await addresses()).size).toBe(names.length)
  })
})

async function makeNamed(name: string): Promise<VirtualMachine> {
  return client.create(VIRTUAL_MACHINE, {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { namespace: 'default', name },
    spec: { runStrategy: 'Manual', template: { spec: { domain: { devices: {} } } } },
  })
}

async function addresses(): Promise<string[]> {
  const { items } = await client.list(VIRTUAL_MACHINE_INSTANCE)
  return items.flatMap(({ status }) => status?.interfaces?.[0]?.ipAddress ?? [])
}
