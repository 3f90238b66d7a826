import type { Clock } from '../common/clock.ts'
import type { RequestContext } from '../common/context.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { NovaError } from '../common/errors/nova-error.ts'
import type { Logger } from '../common/log.ts'
import type { DiskSource, InstanceRef } from '../objects/build-request.ts'
import { RemoteError } from '../rpc/errors.ts'
import type {
  buildRequestGet,
  ComputeNodeReport,
  ConductorRpcApi,
  GuestAssignArgs,
  ImageCreateArgs,
  InstanceUpdateArgs,
  InstanceView,
  powerStateChanged,
} from './rpcapi.ts'
import type { z } from 'zod'

export interface ConductorApiOptions {
  readonly retryDelayMs: number
  readonly maxRetryDelayMs: number
}

/**
 * The conductor as a compute agent uses it: what may pass by itself (no conductor there, the broker or the
 * API server away) is waited out, so that a state change is never lost to it. Every method is safe to repeat:
 * an update tests what it expects. nova.conductor.api.
 */
export class ConductorApi {
  readonly #rpc: ConductorRpcApi
  readonly #clock: Clock
  readonly #log: Logger
  readonly #signal: AbortSignal
  readonly #options: ConductorApiOptions
  readonly #saved = new Map<string, InstanceView>()
  #away = false

  constructor(
    deps: {
      readonly rpc: ConductorRpcApi
      readonly clock: Clock
      readonly log: Logger
      /** Ends all waiting: the agent stops. */
      readonly signal: AbortSignal
    },
    options: ConductorApiOptions,
  ) {
    this.#rpc = deps.rpc
    this.#clock = deps.clock
    this.#log = deps.log.named('nova.conductor.api')
    this.#signal = deps.signal
    this.#options = options
  }

  async instanceGet(ctx: RequestContext, instance: InstanceRef): Promise<InstanceView> {
    return this.#patiently(ctx, () => this.#rpc.instanceGet(ctx, instance))
  }

  async instanceGetByHost(ctx: RequestContext, host: string): Promise<InstanceView[]> {
    return this.#patiently(ctx, () => this.#rpc.instanceGetByHost(ctx, host))
  }

  /** The instance as this agent wrote it last, without asking anybody; nothing of one that it never wrote. */
  lastSaved(uid: string): InstanceView | undefined {
    return this.#saved.get(uid)
  }

  async instanceUpdate(ctx: RequestContext, args: InstanceUpdateArgs): Promise<InstanceView> {
    const saved = await this.#patiently(ctx, () => this.#rpc.instanceUpdate(ctx, args))
    const { uid } = saved.ref
    if (saved.vmState === 'deleted' || saved.host === undefined) this.#saved.delete(uid)
    else this.#saved.set(uid, saved)
    return saved
  }

  async buildRequestGet(
    ctx: RequestContext,
    instance: InstanceRef,
  ): Promise<z.infer<typeof buildRequestGet.result>> {
    return this.#patiently(ctx, () => this.#rpc.buildRequestGet(ctx, instance))
  }

  /** Has this agent, or another, allowed to touch a guest. */
  async guestAssign(ctx: RequestContext, args: GuestAssignArgs): Promise<void> {
    await this.#patiently(ctx, () => this.#rpc.guestAssign(ctx, args))
  }

  /** Where the disk comes from that an instance is to be rescued with. */
  async diskGet(ctx: RequestContext, instance: InstanceRef): Promise<DiskSource> {
    return this.#patiently(ctx, () => this.#rpc.diskGet(ctx, instance))
  }

  async imageCreate(ctx: RequestContext, args: ImageCreateArgs): Promise<void> {
    await this.#patiently(ctx, () => this.#rpc.imageCreate(ctx, args))
  }

  async powerStateChanged(ctx: RequestContext, args: z.infer<typeof powerStateChanged.args>): Promise<void> {
    await this.#patiently(ctx, () => this.#rpc.powerStateChanged(ctx, args))
  }

  async computeNodeReport(ctx: RequestContext, args: ComputeNodeReport): Promise<void> {
    await this.#patiently(ctx, () => this.#rpc.computeNodeReport(ctx, args))
  }

  async #patiently<T>(ctx: RequestContext, call: () => Promise<T>): Promise<T> {
    let delayMs = this.#options.retryDelayMs
    for (;;) {
      try {
        const result = await call()
        this.#cameBack()
        return result
      } catch (error) {
        if (!mayPass(error)) throw error
        this.#wentAway(ctx, error)
        await this.#clock.sleep(delayMs, this.#signal)
        delayMs = Math.min(delayMs * 2, this.#options.maxRetryDelayMs)
      }
    }
  }

  /** Said once, however many calls wait. */
  #wentAway(ctx: RequestContext, error: unknown): void {
    if (!this.#away) this.#log.with(ctx).warn('Waiting for the conductor', { reason: messageOf(error) })
    this.#away = true
  }

  #cameBack(): void {
    if (this.#away) this.#log.info('The conductor answers again')
    this.#away = false
  }
}

/** An error the conductor did not expect may stay for ever: that goes up, where the tries are counted. */
function mayPass(error: unknown): boolean {
  return error instanceof NovaError && error.outcome === 'retry' && !(error instanceof RemoteError)
}
