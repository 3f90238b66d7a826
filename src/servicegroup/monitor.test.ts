import { beforeEach, describe, expect, it } from 'vitest'
import { COMPUTE_NODE, type ComputeNode } from '../apis/v1alpha1/compute-node.ts'
import type { RequestContext } from '../common/context.ts'
import { RandomIds } from '../common/ids.ts'
import { ApiError } from '../kube/api-error.ts'
import { makeComputeNode } from '../testing/builders.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { captureLog, type LogCapture } from '../testing/log-capture.ts'
import { MemoryKubeClient } from '../testing/memory-kube-client.ts'
import { ToldInformer } from '../testing/told-informer.ts'
import { ServiceMonitor } from './monitor.ts'

const OPTIONS = { serviceDownAfterMs: 60_000, checkIntervalMs: 5_000 }

let clock: FakeClock
let client: MemoryKubeClient
let nodes: ToldInformer<ComputeNode>
let logs: LogCapture
let monitor: ServiceMonitor
let isHearing: boolean
/** The hosts whose agents were asked to report. */
let asked: string[]

beforeEach(() => {
  clock = new FakeClock()
  client = new MemoryKubeClient()
  nodes = new ToldInformer(COMPUTE_NODE)
  logs = captureLog()
  asked = []
  isHearing = true
  const computeRpc = {
    updateAvailableResource: async (_ctx: RequestContext, host: string) => void asked.push(host),
  }
  monitor = new ServiceMonitor(
    {
      client,
      nodes: nodes.informer,
      computeRpc,
      isHearing: () => isHearing,
      clock,
      ids: new RandomIds(),
      log: logs.log,
    },
    OPTIONS,
  )
})

type Fields = NonNullable<Parameters<typeof makeComputeNode>[0]>

/** Puts a node on the server, and into the informer as the server has it. */
async function putNode(fields: Fields = {}): Promise<ComputeNode> {
  const node = await client.create(COMPUTE_NODE, makeComputeNode(fields))
  nodes.informer.observe(node)
  return node
}

async function shown(name = 'node-1'): Promise<unknown> {
  const { status } = await client.get(COMPUTE_NODE, { name })
  return [status?.state, status?.stateReason]
}

describe('an agent', () => {
  it('is not down for what nobody could hear, and has its whole time again afterwards', async () => {
    await putNode()
    monitor.start()
    monitor.seen('node-1')
    isHearing = false
    await clock.advance(600_000)
    expect(monitor.isUp('node-1')).toBe(true)
    isHearing = true
    await clock.advance(55_000)
    expect(monitor.isUp('node-1')).toBe(true)
    expect(await shown()).toEqual(['up', undefined])

    await clock.advance(10_000)
    expect(monitor.isUp('node-1')).toBe(false)
    expect(await shown()).toEqual(['down', 'no heartbeat for 60 s'])
  })

  it('is up for as long as its last heartbeat is not too old', async () => {
    await putNode()
    monitor.start()
    await clock.advance(10_000)
    monitor.seen('node-1')

    await clock.advance(60_000)
    expect(monitor.isUp('node-1')).toBe(true)
    await clock.advance(1)
    expect(monitor.isUp('node-1')).toBe(false)
  })

  it('gets the time to report from a monitor that has just begun, if it was up before', async () => {
    await putNode()
    await putNode({ name: 'node-2', status: { state: 'down' } })
    monitor.start()

    await clock.advance(60_000)
    expect(monitor.isUp('node-1')).toBe(true)
    expect(monitor.isUp('node-2')).toBe(false)
    await clock.advance(1)
    expect(monitor.isUp('node-1')).toBe(false)
  })

  it('that nobody knows is not up', () => {
    monitor.start()
    expect(monitor.isUp('node-9')).toBe(false)
  })
})

describe('a compute node', () => {
  it('is shown down once when its agent falls silent, and up when it is heard of again', async () => {
    await putNode()
    monitor.start()
    await clock.advance(65_000)
    expect(await shown()).toEqual(['down', 'no heartbeat for 60 s'])
    const { length } = client.requests
    await clock.advance(600_000)
    expect(client.requests.length).toBe(length)

    monitor.seen('node-1')
    await clock.advance(0)

    expect(await shown()).toEqual(['up', 'the agent reports again'])
    expect(logs.at('INFO').map((line) => line.replace(/^.*\[-\] /, ''))).toEqual([
      'Compute node is down host=node-1 reason="no heartbeat for 60 s"',
      'Compute node is up host=node-1 reason="the agent reports again"',
    ])
  })

  it('costs no write while its agent reports', async () => {
    await putNode()
    monitor.start()
    const { length } = client.requests
    for (let n = 0; n < 30; n++) {
      await clock.advance(10_000)
      monitor.seen('node-1')
    }
    expect(client.requests.length).toBe(length)
  })

  it('whose state nobody wrote yet is shown up by its first heartbeat', async () => {
    const node = makeComputeNode()
    const { state: _, ...status } = node.status ?? {}
    nodes.informer.observe(await client.create(COMPUTE_NODE, { ...node, status }))
    monitor.start()

    monitor.seen('node-1')
    await clock.advance(0)

    expect(await shown()).toEqual(['up', 'the agent reports'])
  })

  it('that is forced down is shown down, whatever its agent says, and up when the operator lets it', async () => {
    const node = await putNode({ spec: { forcedDown: true } })
    monitor.start()
    await clock.advance(5_000)
    expect(await shown()).toEqual(['down', 'forced down'])
    monitor.seen('node-1')
    await clock.advance(0)
    expect(await shown()).toEqual(['down', 'forced down'])

    const held = await client.get(COMPUTE_NODE, { name: 'node-1' })
    nodes.informer.observe(
      await client.replace(COMPUTE_NODE, { ...held, spec: { ...node.spec, forcedDown: false } }),
    )
    monitor.seen('node-1')
    await clock.advance(0)
    expect(await shown()).toEqual(['up', 'the agent reports again'])
  })

  it('is looked at again when it could not be written', async () => {
    await putNode()
    monitor.start()
    client.failure = new ApiError({ code: 503, reason: 'ServiceUnavailable', message: 'sorry' })
    await clock.advance(65_000)
    expect(logs.at('WARNING')).toHaveLength(1)
    client.failure = undefined

    await clock.advance(5_000)

    expect(await shown()).toEqual(['down', 'no heartbeat for 60 s'])
  })

  it('is shown by the monitor that leads alone', async () => {
    await putNode({ status: { state: 'down' } })
    monitor.seen('node-1')
    await clock.advance(0)
    expect(await shown()).toEqual(['down', undefined])

    monitor.start()
    monitor.seen('node-1')
    await clock.advance(0)
    expect(await shown()).toEqual(['up', 'the agent reports again'])
  })

  it('that somebody else wrote meanwhile is left to them', async () => {
    const node = await putNode()
    await client.replace(COMPUTE_NODE, {
      ...node,
      status: { ...node.status, state: 'down', stateReason: 'theirs' },
    })
    monitor.start()

    await clock.advance(65_000)

    expect(await shown()).toEqual(['down', 'theirs'])
    expect(logs.at('WARNING')).toEqual([])
  })
})

describe('a host without a ComputeNode', () => {
  it('is asked for a report at its second heartbeat, and again as long as there is none', async () => {
    monitor.start()
    monitor.seen('node-1')
    expect(asked).toEqual([])
    monitor.seen('node-1')
    expect(asked).toEqual(['node-1'])
    for (let n = 0; n < 4; n++) monitor.seen('node-1')
    expect(asked).toEqual(['node-1', 'node-1', 'node-1'])
  })

  it('is not asked when its node was just on the way', async () => {
    monitor.start()
    monitor.seen('node-1')
    await putNode()
    for (let n = 0; n < 4; n++) monitor.seen('node-1')
    expect(asked).toEqual([])
  })

  it('is asked when its node is removed', async () => {
    const node = await putNode()
    monitor.start()
    monitor.seen('node-1')
    nodes.tellGone(node)
    monitor.seen('node-1')
    monitor.seen('node-1')
    expect(asked).toEqual(['node-1'])
  })

  it('is not asked by a monitor that does not lead', () => {
    for (let n = 0; n < 4; n++) monitor.seen('node-1')
    monitor.start()
    monitor.stop()
    for (let n = 0; n < 4; n++) monitor.seen('node-1')
    expect(asked).toEqual([])
  })
})

it('a monitor that stopped looks no more', async () => {
  await putNode()
  monitor.start()
  monitor.stop()
  await clock.advance(600_000)
  expect(await shown()).toEqual(['up', undefined])
  expect(clock.timers).toBe(0)
})
