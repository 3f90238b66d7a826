import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SystemClock } from '../../common/clock.ts'
import { HttpKubeClient } from '../../kube/http-client.ts'
import { captureLog } from '../../testing/log-capture.ts'
import { makeNode } from '../../testing/make-node.ts'
import { until } from '../../testing/until.ts'
import {
  conditionOf,
  NODE,
  trueCondition,
  VIRTUAL_MACHINE,
  VIRTUAL_MACHINE_INSTANCE,
  type VirtualMachineInstance,
} from '../../virt/kubevirt/resources.ts'
import { ApiServer } from '../apiserver/server.ts'
import { kubevirtCrds } from '../crds.ts'
import { NODE_GUESTS_ANNOTATION } from './behaviour.ts'
import { KubeVirtStandIn } from './stand-in.ts'
import type { SubresourceAnswer } from './subresource-answer.ts'

const REF = { namespace: 'default', name: 'web' }
const clock = new SystemClock()
let server: ApiServer
let client: HttpKubeClient
let standIn: KubeVirtStandIn

beforeEach(async () => {
  server = new ApiServer({}, { crds: kubevirtCrds() })
  await server.start()
  client = HttpKubeClient.fromKubeConfig({ server: server.url }, { clock })
  standIn = new KubeVirtStandIn({ client, clock, log: captureLog().log }, { bootMs: 2, shutdownMs: 1 })
  await standIn.start()
  await makeNode(client, 'node-1')
  const template = { spec: { terminationGracePeriodSeconds: 3600, domain: { devices: {} } } }
  const vm = { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', metadata: REF }
  await client.create(VIRTUAL_MACHINE, { ...vm, spec: { runStrategy: 'Manual', template } })
})

afterEach(async () => {
  await standIn.stop()
  await client.close()
  await server.stop()
})

async function says(word: string): Promise<void> {
  await until(`the VM says ${word}`, async () => {
    return (await client.get(VIRTUAL_MACHINE, REF)).status?.printableStatus === word
  })
}

async function start(): Promise<void> {
  const patch = { status: { stateChangeRequests: [{ action: 'Start' }] } }
  await client.mergePatch(VIRTUAL_MACHINE, REF, patch, { subresource: 'status' })
  await says('Running')
}

async function vmi(): Promise<VirtualMachineInstance> {
  return client.get(VIRTUAL_MACHINE_INSTANCE, REF)
}

async function put(action: string): Promise<SubresourceAnswer | undefined> {
  const machine = 'namespaces/default/virtualmachineinstances/web'
  return standIn.handleSubresource('PUT', `/apis/subresources.kubevirt.io/v1/${machine}/${action}`, {})
}

const refused = (text: string): object => ({
  code: 409,
  body: {
    kind: 'Status',
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on virtualmachineinstance.kubevirt.io "web": ${text}`,
    details: { kind: 'virtualmachineinstance', name: 'web', group: 'kubevirt.io' },
  },
})

describe('the subresources of a guest', () => {
  it('pause it, and let it go on', async () => {
    await start()
    const { uid } = (await vmi()).metadata

    expect(await put('pause')).toEqual({ code: 200, body: {} })
    await says('Paused')
    const paused = await vmi()
    expect(trueCondition(paused, 'Paused')?.reason).toBe('PausedByUser')
    expect(conditionOf(paused, 'Ready', 'False')?.reason).toBe('ReadinessGatesNotReady')
    expect((await client.get(VIRTUAL_MACHINE, REF)).status?.ready).toBe(false)

    expect(await put('unpause')).toEqual({ code: 200, body: {} })
    await says('Running')
    const resumed = await vmi()
    expect(trueCondition(resumed, 'Paused')).toBeUndefined()
    expect(trueCondition(resumed, 'Ready')).toBeDefined()
    expect(resumed.metadata.uid).toBe(uid)
  })

  it('reboot it, and nobody outside sees a change', async () => {
    await start()
    const { status, metadata } = await vmi()

    expect(await put('softreboot')).toEqual({ code: 200, body: {} })

    const after = await vmi()
    expect(after.status).toEqual(status)
    expect(after.metadata.uid).toBe(metadata.uid)
  })

  it('are refused in virt-api’s words', async () => {
    await start()

    expect(await put('unpause')).toMatchObject(refused('VMI is not paused'))
    await put('pause')
    expect(await put('pause')).toMatchObject(refused('VMI is already paused'))
    expect(await put('softreboot')).toMatchObject(refused('VMI is paused'))
  })

  it.each([
    { action: 'pause', text: 'VM is not running' },
    { action: 'unpause', text: 'VMI is not running' },
    { action: 'softreboot', text: 'VM is not running' },
  ])('$action is refused for a guest that has ended', async ({ action, text }) => {
    await start()
    await standIn.guestPowersOff(REF)
    await says('Stopped')

    expect(await put(action)).toMatchObject(refused(text))
  })

  it.each(['pause', 'unpause', 'softreboot'])('%s finds no guest that was not started', async (action) => {
    const message = 'virtualmachineinstance.kubevirt.io "web" not found'

    expect(await put(action)).toMatchObject({ code: 404, body: { reason: 'NotFound', message } })
  })

  it('do not serve what nobody inside can do', async () => {
    await start()

    expect(await put('freeze')).toBeUndefined()
  })

  it('a paused guest does not hear that it shall shut down, and is killed when its grace is taken away', async () => {
    await start()
    await put('pause')
    const path = '/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachines/web/stop'

    await standIn.handleSubresource('PUT', path, {})
    await says('Stopping')
    expect((await vmi()).status?.phase).toBe('Running')
    await standIn.handleSubresource('PUT', path, { gracePeriod: 0 })

    await says('Stopped')
  })

  it.each([
    { action: 'pause', word: 'pause-fails' },
    { action: 'softreboot', word: 'reboot-fails' },
  ] as const)('$action fails in virt-handler when it was told to', async ({ action, word }) => {
    await start()
    const patch = { metadata: { annotations: { [NODE_GUESTS_ANNOTATION]: word } } }
    await client.mergePatch(NODE, { name: 'node-1' }, patch)
    const before = (await vmi()).status

    expect(await put(action)).toMatchObject({ code: 500, body: { reason: 'InternalError' } })
    expect((await vmi()).status).toEqual(before)
  })
})
