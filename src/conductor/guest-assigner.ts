import type { Instance } from '../apis/v1alpha1/instance.ts'
import type { RequestContext } from '../common/context.ts'
import { Forbidden } from '../common/errors/access.ts'
import { ComputeServiceInUse } from '../common/errors/host.ts'
import type { Logger } from '../common/log.ts'
import type { KubeClient } from '../kube/client.ts'
import type { InstanceRef } from '../objects/build-request.ts'
import type { InstanceStore } from '../objects/instance-store.ts'
import { isDownNow } from '../servicegroup/is-down.ts'
import type { GuestAssignment } from '../virt/guest-assignment.ts'
import type { GuestAssignArgs } from './rpcapi.ts'

/**
 * Says which host's agent may touch a guest, for agents that may not say so themselves: a stolen one could take any guest, or
 * give its own to others. What an agent asks for must follow from the instance.
 */
export class GuestAssigner {
  readonly #client: KubeClient
  readonly #instances: InstanceStore
  readonly #guests: GuestAssignment
  readonly #log: Logger

  constructor(deps: {
    readonly client: KubeClient
    readonly instances: InstanceStore
    readonly guests: GuestAssignment
    readonly log: Logger
  }) {
    this.#client = deps.client
    this.#instances = deps.instances
    this.#guests = deps.guests
    this.#log = deps.log.named('nova.conductor.manager')
  }

  /**
   * @throws Forbidden when the instance does not say so
   * @throws ComputeServiceInUse when a guest would be taken from a host that is up, and was not before
   */
  async assign(ctx: RequestContext, agent: string, { instance: ref, step }: GuestAssignArgs): Promise<void> {
    const instance = await this.#instances.get(ref)
    const decision = decideAssignment(instance, agent, step)
    switch (decision.act) {
      case 'take-away':
        await this.#takeAway(ctx, ref, decision)
        break
      case 'allow-move':
        await this.#guests.allowMove(ctx, ref, decision.to)
        break
      case 'assign':
        await this.#guests.assign(ctx, ref, decision.to)
        break
    }
    this.#log
      .with(ctx, ref.uid)
      .info('Assigned the guest', { act: decision.act, to: decision.to ?? null, by: agent })
  }

  /**
   * Two copies of a guest on one disk destroy it: this is the last look before that. A host that comes back later finds its guest
   * given away, and what may run there all the same ends in the ordinary way.
   */
  async #takeAway(
    ctx: RequestContext,
    guest: InstanceRef,
    { from, to }: Extract<AssignmentDecision, { readonly act: 'take-away' }>,
  ): Promise<void> {
    const isDown = await isDownNow(this.#client, from)
    if (!isDown && !(await this.#guests.isAssignedTo(ctx, guest, to))) {
      throw new ComputeServiceInUse({ host: from })
    }
    await this.#guests.takeAway(ctx, guest, to, { byForce: isDown })
  }
}

/** What is to be done with a guest so that an agent can go on. */
export type AssignmentDecision =
  | { readonly act: 'assign'; readonly to: string | undefined }
  | { readonly act: 'allow-move'; readonly to: string }
  | { readonly act: 'take-away'; readonly to: string; readonly from: string }

/**
 * What an agent may have done with a guest, by the state of its instance.
 * @throws Forbidden
 */
export function decideAssignment(
  { status, metadata }: Pick<Instance, 'status' | 'metadata'>,
  agent: string,
  step: GuestAssignArgs['step'],
): AssignmentDecision {
  const decision = isEvacuated(status) ? takeAway(status, agent, step) : DECISIONS[step](status, agent)
  if (decision) return decision
  const { host, taskState } = status
  throw new Forbidden({
    reason: `the agent of ${agent} may not '${step}' the guest of instance ${metadata.uid}, which is on ${host ?? 'no host'} in task_state ${taskState ?? 'none'}`,
  })
}

type Decide = (status: Instance['status'], agent: string) => AssignmentDecision | undefined

/** What each step is for: only ever the instance's own host asks. */
const DECISIONS: Readonly<Record<GuestAssignArgs['step'], Decide>> = {
  take: ({ host, taskState }, agent) =>
    host === agent && taskState !== 'migrating' ? { act: 'assign', to: agent } : undefined,
  allow: (status, agent) => destinationOf(status, agent, (to) => ({ act: 'allow-move', to })),
  hand_over: (status, agent) => destinationOf(status, agent, (to) => ({ act: 'assign', to })),
  keep: ({ host }, agent) => (host === agent ? { act: 'assign', to: agent } : undefined),
  let_go: (status, agent) =>
    status.host === agent && isLeaving(status) ? { act: 'assign', to: undefined } : undefined,
}

function destinationOf(
  { host, taskState, migration }: Instance['status'],
  agent: string,
  act: (to: string) => AssignmentDecision,
): AssignmentDecision | undefined {
  const isMoving = host === agent && taskState === 'migrating'
  return isMoving && migration?.destHost !== undefined ? act(migration.destHost) : undefined
}

/** Also one that was to come back and could not: else the guest would stay with a host that its instance is not on. */
function isLeaving({ taskState, vmState }: Instance['status']): boolean {
  return (
    taskState === 'shelving_offloading' || (taskState === 'unshelving' && vmState === 'shelved_offloaded')
  )
}

function isEvacuated({ migration, taskState }: Instance['status']): boolean {
  return migration?.type === 'evacuation' && taskState === 'rebuilding'
}

/** The old host may only be cut off, and late with its say: the guest is not its own any more. */
function takeAway(
  { migration }: Instance['status'],
  agent: string,
  step: GuestAssignArgs['step'],
): AssignmentDecision | undefined {
  const { sourceHost, destHost } = migration ?? {}
  return step === 'take' && destHost === agent && sourceHost
    ? { act: 'take-away', to: agent, from: sourceHost }
    : undefined
}
