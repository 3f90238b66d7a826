import { INSTANCE_ACTION, type InstanceAction } from '../apis/v1alpha1/instance-action.ts'
import type { Instance } from '../apis/v1alpha1/instance.ts'
import type { ActionName, ActionResult } from '../apis/v1alpha1/states.ts'
import { type Clock, toTimestamp } from '../common/clock.ts'
import type { RequestContext } from '../common/context.ts'
import { isAlreadyExists, isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import { apiVersionOf, refOf } from '../kube/resource.ts'
import { type ActionProgress, appended } from './action-progress.ts'
import { type AcceptedAction, isAccepted } from './accepted-action.ts'
import type { InstanceRef } from './build-request.ts'

/** How an operation ended. */
export interface ActionEnd {
  readonly result: ActionResult
  /** Why it failed, in one sentence. */
  readonly message?: string | undefined
  readonly progress: ActionProgress
  /** What it gave, where it was asked for that. */
  readonly output?: string | undefined
}

const INSTANCE_LABEL = 'compute.kilonova.dev/instance'
const REQUEST_LABEL = 'compute.kilonova.dev/request-id'
const MAX_MESSAGE = 4096
const MAX_OUTPUT = 65_536

/** The name of an operation's record: the same for every try to write it. `web-stop-1f0c9a3e`. */
export function actionRecordName(instance: string, action: ActionName, requestId: string): string {
  const kebab = action.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  return `${instance}-${kebab}-${requestId.replace(/^req-/, '').slice(0, 8)}`
}

/** Where the record of an operation is. */
export interface RecordRef {
  readonly namespace: string
  readonly name: string
}

/**
 * The record of an operation on an instance: the user's own InstanceAction where that asked for it, else the one that nova-api
 * made. `instance` is one that the operation is or was the last of.
 */
export function recordOf(
  { metadata, status }: Pick<Instance, 'metadata' | 'status'>,
  requestId: string,
  action: ActionName,
): RecordRef {
  const { namespace = 'default', name } = metadata
  const asked = status.requestId === requestId ? status.action : undefined
  return { namespace, name: asked?.name ?? actionRecordName(name, action, requestId) }
}

/** Writes the records of operations: nova.objects.InstanceAction. */
export class ActionStore {
  readonly #client: KubeClient
  readonly #clock: Clock

  constructor(deps: { readonly client: KubeClient; readonly clock: Clock }) {
    this.#client = deps.client
    this.#clock = deps.clock
  }

  /** Records that an operation has begun. A second time changes nothing. */
  async begin(ctx: RequestContext, instance: InstanceRef, action: ActionName): Promise<void> {
    const record: InstanceAction = {
      apiVersion: apiVersionOf(INSTANCE_ACTION),
      kind: INSTANCE_ACTION.kind,
      metadata: {
        namespace: instance.namespace,
        name: actionRecordName(instance.name, action, ctx.requestId),
        labels: { [INSTANCE_LABEL]: instance.name, [REQUEST_LABEL]: ctx.requestId },
      },
      spec: {
        action,
        instance: instance.name,
        instanceUid: instance.uid,
        requestId: ctx.requestId,
        user: ctx.user,
        startTime: toTimestamp(this.#clock.now()),
      },
    }
    try {
      await this.#client.create(INSTANCE_ACTION, record)
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
  }

  /**
   * Makes what a user asked for a record like any other. `instance` is the one it is for, if there is one.
   * @throws ApiError, for which isConflict holds when somebody changed it, or isNotFound when it was taken back
   */
  async accept(
    ctx: RequestContext,
    asked: InstanceAction,
    instance: InstanceRef | undefined,
  ): Promise<AcceptedAction> {
    const { resourceVersion } = asked.metadata
    const accepted = await this.#client.mergePatch(
      INSTANCE_ACTION,
      refOf(asked),
      {
        metadata: { labels: { [INSTANCE_LABEL]: asked.spec.instance, [REQUEST_LABEL]: ctx.requestId } },
        spec: {
          ...(instance && { instanceUid: instance.uid }),
          requestId: ctx.requestId,
          user: ctx.user,
          startTime: toTimestamp(this.#clock.now()),
        },
      },
      { resourceVersion },
    )
    if (!isAccepted(accepted))
      throw new Error(`${asked.metadata.name} bears no request id after it was accepted`)
    return accepted
  }

  /**
   * Records in this very record how its operation ended; a user names his as he likes.
   * @throws ApiError, for which isConflict holds when somebody wrote first, or isNotFound when it was removed
   */
  async close(record: InstanceAction, end: ActionEnd): Promise<InstanceAction> {
    const { resourceVersion } = record.metadata
    return this.#client.mergePatch(
      INSTANCE_ACTION,
      refOf(record),
      { status: this.#statusOf(end) },
      { subresource: 'status', resourceVersion },
    )
  }

  /** Records how far an operation has come, without ending it. */
  async note(record: RecordRef, progress: ActionProgress): Promise<void> {
    await this.#patch(record, known(progress))
  }

  /** Records how an operation ended. A record that somebody removed is not made again. */
  async end(record: RecordRef, end: ActionEnd): Promise<void> {
    await this.#patch(record, this.#statusOf(end))
  }

  /**
   * What is known of an operation that goes from service to service, of which each knows its own steps alone: those that are
   * recorded, and these after them.
   */
  async withEarlier(record: RecordRef, progress: ActionProgress): Promise<ActionProgress> {
    const found = await this.#find(record)
    const { events = [] } = found?.status ?? {}
    const isAgain = (event: { readonly name: string; readonly startTime: string }): boolean =>
      progress.events.some((one) => one.name === event.name && one.startTime === event.startTime)
    return appended({ events: events.filter((event) => !isAgain(event)) }, progress)
  }

  async #find(record: RecordRef): Promise<InstanceAction | undefined> {
    try {
      return await this.#client.get(INSTANCE_ACTION, record)
    } catch (error) {
      if (!isNotFound(error)) throw error
      return undefined
    }
  }

  #statusOf(end: ActionEnd): Record<string, unknown> {
    return {
      ...known(end.progress),
      result: end.result,
      // A delete that failed for a while and then succeeded has nothing to complain of any more.
      message: end.message?.slice(0, MAX_MESSAGE) ?? null,
      ...(end.output !== undefined && { output: end.output.slice(-MAX_OUTPUT) }),
      finishTime: toTimestamp(this.#clock.now()),
    }
  }

  async #patch(record: RecordRef, status: Record<string, unknown>): Promise<void> {
    try {
      await this.#client.mergePatch(INSTANCE_ACTION, record, { status }, { subresource: 'status' })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}

/** What is known: who knows of no steps does not take those away that are there. */
function known({ events, ...rest }: ActionProgress): Partial<ActionProgress> {
  return { ...rest, ...(events.length > 0 && { events }) }
}
