import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { COMPUTE_NODE } from '../apis/v1alpha1/compute-node.ts'
import { INSTANCE, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { TASK_STATES, type TaskState } from '../apis/v1alpha1/states.ts'
import { Forbidden } from '../common/errors/access.ts'
import { ComputeServiceInUse } from '../common/errors/host.ts'
import { InstanceNotFound } from '../common/errors/instance-state.ts'
import { refOfInstance } from '../objects/build-request.ts'
import { InstanceStore } from '../objects/instance-store.ts'
import { makeContext, makeInstance } from '../testing/builders.ts'
import { EmbeddedKube } from '../testing/embedded-kube.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { captureLog, type LogCapture } from '../testing/log-capture.ts'
import type { GuestAssignment } from '../virt/guest-assignment.ts'
import { type AssignmentDecision, decideAssignment, GuestAssigner } from './guest-assigner.ts'
import type { GuestAssignArgs } from './rpcapi.ts'

type Step = GuestAssignArgs['step']
type Moving = NonNullable<InstanceStatus['migration']>
type Task = TaskState | undefined

const STEPS: readonly Step[] = ['take', 'allow', 'hand_over', 'keep', 'let_go']
const TASKS: readonly Task[] = [undefined, ...TASK_STATES]

/** Who asks: the agent of the instance's host, of where it came from, of where it goes, or of neither. */
const AGENTS = { host: 'node-1', dest: 'node-2', other: 'node-3' } as const
type Agent = keyof typeof AGENTS

function move(type: Moving['type']): Moving {
  return { type, status: 'preparing', oldVmState: 'active', sourceHost: 'node-1', destHost: 'node-2' }
}

/** What is decided; undefined where it is refused. */
function decided(status: InstanceStatus, agent: string, step: Step): AssignmentDecision | undefined {
  try {
    return decideAssignment(makeInstance({ status }), agent, step)
  } catch (error) {
    if (!(error instanceof Forbidden)) throw error
    return undefined
  }
}

/** Every step and task_state, with what is allowed where the agent is that of the instance's host, of its destination, of neither. */
function grid(
  migration: Moving | undefined,
  wanted: (step: Step, task: Task, agent: Agent) => unknown,
): void {
  describe.each(STEPS)('asked to %s', (step) => {
    it.each(TASKS)('in task_state %s', (taskState) => {
      const status = {
        vmState: 'active',
        host: 'node-1',
        ...(taskState && { taskState }),
        ...(migration && { migration }),
      } as const
      for (const agent of ['host', 'dest', 'other'] as const) {
        const got = decided(status, AGENTS[agent], step)
        expect({ agent, got }).toEqual({ agent, got: wanted(step, taskState, agent) })
      }
    })
  })
}

const MINE = { act: 'assign', to: 'node-1' }

describe('the guest of an instance that stays where it is', () => {
  grid(undefined, (step, task, agent) => {
    if (agent !== 'host') return undefined
    // One that is to move alive is moved, not taken.
    if (step === 'take') return task === 'migrating' ? undefined : MINE
    if (step === 'keep') return MINE
    if (step === 'let_go' && task === 'shelving_offloading') return { act: 'assign', to: undefined }
    return undefined
  })
})

describe('the guest of an instance that moves while it runs', () => {
  grid(move('live-migration'), (step, task, agent) => {
    if (agent !== 'host') return undefined
    if (task === 'migrating') {
      if (step === 'allow') return { act: 'allow-move', to: 'node-2' }
      if (step === 'hand_over') return { act: 'assign', to: 'node-2' }
      return step === 'keep' ? MINE : undefined
    }
    if (step === 'take' || step === 'keep') return MINE
    if (step === 'let_go' && task === 'shelving_offloading') return { act: 'assign', to: undefined }
    return undefined
  })
})

describe('the guest of an instance that is evacuated', () => {
  grid(move('evacuation'), (step, task, agent) => {
    if (task === 'rebuilding') {
      // From now on it is its destination's to say: the old host may be cut off, and still have its say.
      return step === 'take' && agent === 'dest'
        ? { act: 'take-away', to: 'node-2', from: 'node-1' }
        : undefined
    }
    if (agent !== 'host') return undefined
    if (step === 'take') return task === 'migrating' ? undefined : MINE
    if (step === 'keep') return MINE
    if (step === 'let_go' && task === 'shelving_offloading') return { act: 'assign', to: undefined }
    if (task === 'migrating' && step === 'allow') return { act: 'allow-move', to: 'node-2' }
    if (task === 'migrating' && step === 'hand_over') return { act: 'assign', to: 'node-2' }
    return undefined
  })
})

describe('the guest of an instance', () => {
  it.each<{ what: string; status: InstanceStatus; agent: string; step: Step; want: unknown }>([
    {
      what: 'that arrives is taken by where it goes, once that is its host',
      status: { vmState: 'active', taskState: 'resize_migrated', host: 'node-2', migration: move('resize') },
      agent: 'node-2',
      step: 'take',
      want: { act: 'assign', to: 'node-2' },
    },
    {
      what: 'that has arrived is not taken back by where it came from',
      status: { vmState: 'resized', host: 'node-2', migration: move('resize') },
      agent: 'node-1',
      step: 'take',
      want: undefined,
    },
    {
      what: 'that goes back is taken by where it came from, once that is its host again',
      status: {
        vmState: 'resized',
        taskState: 'resize_reverting',
        host: 'node-1',
        migration: { ...move('resize'), status: 'reverting' },
      },
      agent: 'node-1',
      step: 'take',
      want: { act: 'assign', to: 'node-1' },
    },
    {
      what: 'that comes back from the shelf is taken by its new host',
      status: { vmState: 'shelved_offloaded', taskState: 'unshelving', host: 'node-2' },
      agent: 'node-2',
      step: 'take',
      want: { act: 'assign', to: 'node-2' },
    },
    {
      what: 'that could not come back from the shelf is let go',
      status: { vmState: 'shelved_offloaded', taskState: 'unshelving', host: 'node-2' },
      agent: 'node-2',
      step: 'let_go',
      want: { act: 'assign', to: undefined },
    },
    {
      what: 'that is on the shelf and on its host is not let go, when it cannot be started',
      status: { vmState: 'shelved', taskState: 'unshelving', host: 'node-2' },
      agent: 'node-2',
      step: 'let_go',
      want: undefined,
    },
    {
      what: 'that is on no host is nobody’s to take',
      status: { vmState: 'shelved_offloaded' },
      agent: 'node-2',
      step: 'take',
      want: undefined,
    },
    {
      what: 'that moves, but nobody knows where to, stays',
      status: { vmState: 'active', taskState: 'migrating', host: 'node-1' },
      agent: 'node-1',
      step: 'allow',
      want: undefined,
    },
  ])('$what', ({ status, agent, step, want }) => {
    expect(decided(status, agent, step)).toEqual(want)
  })

  it('is refused with what stands in the way', () => {
    const instance = makeInstance({ uid: 'the-id', status: { vmState: 'active', host: 'node-1' } })
    expect(() => decideAssignment(instance, 'node-2', 'take')).toThrow(
      new Forbidden({
        reason:
          "the agent of node-2 may not 'take' the guest of instance the-id, which is on node-1 in task_state none",
      }),
    )
  })
})

describe('the conductor', () => {
  const ctx = makeContext()
  let kube: EmbeddedKube
  let logs: LogCapture
  let calls: unknown[]
  /** Whose the guest is. */
  let owner: string
  let assigner: GuestAssigner

  beforeAll(async () => {
    kube = await EmbeddedKube.start()
  })
  afterAll(() => kube?.close())
  beforeEach(() => {
    logs = captureLog()
    calls = []
    const note =
      (act: string): GuestAssignment['assign'] =>
      async (_ctx, guest, to) => {
        calls.push([act, guest.name, to])
      }
    owner = 'node-1'
    assigner = new GuestAssigner({
      client: kube.client,
      instances: new InstanceStore({ client: kube.client, clock: new FakeClock() }),
      guests: {
        assign: note('assign'),
        allowMove: note('allowMove'),
        takeAway: async (_ctx, guest, to, { byForce }) => {
          calls.push(['takeAway', guest.name, to, byForce ? 'by force' : 'in the ordinary way'])
        },
        isAssignedTo: async (_ctx, _guest, host) => host === owner,
      },
      log: logs.log,
    })
  })
  afterEach(async () => {
    for (const { metadata } of (await kube.client.list(INSTANCE)).items)
      await kube.client.delete(INSTANCE, metadata)
    for (const { metadata } of (await kube.client.list(COMPUTE_NODE)).items)
      await kube.client.delete(COMPUTE_NODE, metadata)
  })

  it.each<{ step: Step; agent: string; status: InstanceStatus; want: unknown[] }>([
    {
      step: 'take',
      agent: 'node-1',
      status: { vmState: 'shelved_offloaded', taskState: 'unshelving', host: 'node-1' },
      want: ['assign', 'web', 'node-1'],
    },
    {
      step: 'allow',
      agent: 'node-1',
      status: {
        vmState: 'active',
        taskState: 'migrating',
        host: 'node-1',
        migration: move('live-migration'),
      },
      want: ['allowMove', 'web', 'node-2'],
    },
    {
      step: 'hand_over',
      agent: 'node-1',
      status: {
        vmState: 'active',
        taskState: 'migrating',
        host: 'node-1',
        migration: move('live-migration'),
      },
      want: ['assign', 'web', 'node-2'],
    },
    {
      step: 'let_go',
      agent: 'node-1',
      status: { vmState: 'shelved', taskState: 'shelving_offloading', host: 'node-1' },
      want: ['assign', 'web', undefined],
    },
  ])('does what $step asks for, and says so', async ({ step, agent, status, want }) => {
    const instance = await kube.putInstance({ status })
    await assigner.assign(ctx, agent, { instance: refOfInstance(instance), step })
    expect(calls).toEqual([want])
    expect(logs.at('INFO').join()).toContain(`by=${agent}`)
  })

  it('touches no guest for an agent that has no say in it', async () => {
    const instance = await kube.putInstance({ status: { vmState: 'active', host: 'node-1' } })
    const asked = assigner.assign(ctx, 'node-2', { instance: refOfInstance(instance), step: 'take' })
    await expect(asked).rejects.toThrow(Forbidden)
    expect(calls).toEqual([])
  })

  it('finds no guest of an instance that is gone', async () => {
    const ref = { namespace: 'default', name: 'web', uid: 'gone' }
    await expect(assigner.assign(ctx, 'node-1', { instance: ref, step: 'take' })).rejects.toThrow(
      InstanceNotFound,
    )
  })

  describe('asked to take a guest from a host for its evacuation', () => {
    const status = {
      vmState: 'active',
      taskState: 'rebuilding',
      host: 'node-1',
      migration: move('evacuation'),
    } as const

    it.each<{ what: string; node: Parameters<EmbeddedKube['putNode']>[0] | undefined }>([
      { what: 'is down', node: { status: { state: 'down' } } },
      { what: 'is said to be down', node: { spec: { forcedDown: true }, status: { state: 'up' } } },
      { what: 'is gone', node: undefined },
    ])('takes it away by force when that $what', async ({ node }) => {
      if (node) await kube.putNode(node)
      const instance = await kube.putInstance({ status })
      await assigner.assign(ctx, 'node-2', { instance: refOfInstance(instance), step: 'take' })
      expect(calls).toEqual([['takeAway', 'web', 'node-2', 'by force']])
    })

    it('goes on when that has come back since it was taken, and sees to it that it ends there', async () => {
      await kube.putNode({})
      owner = 'node-2'
      const instance = await kube.putInstance({ status })
      await assigner.assign(ctx, 'node-2', { instance: refOfInstance(instance), step: 'take' })
      expect(calls).toEqual([['takeAway', 'web', 'node-2', 'in the ordinary way']])
    })

    it.each<{ what: string; node: Parameters<EmbeddedKube['putNode']>[0] }>([
      { what: 'is up', node: {} },
      { what: 'is disabled, which is not down', node: { spec: { disabled: true } } },
    ])('refuses when that $what: two copies would destroy it', async ({ node }) => {
      await kube.putNode(node)
      // Of an evacuation before this one, to another host.
      owner = 'node-3'
      const instance = await kube.putInstance({ status })
      const asked = assigner.assign(ctx, 'node-2', { instance: refOfInstance(instance), step: 'take' })
      await expect(asked).rejects.toThrow(ComputeServiceInUse)
      expect(calls).toEqual([])
    })
  })
})
