import {
  BuildAbortException,
  InstanceDeployFailure,
  InstanceExists,
  InstanceUserDataMalformed,
} from '../../common/errors/guest.ts'
import type { Logger } from '../../common/log.ts'
import { ApiError, isRetryable } from '../../kube/api-error.ts'
import type { GuestSpec, SpawnOptions } from '../driver.ts'
import type { Failure } from './build-progress.ts'
import type { GuestRequests } from './guest-requests.ts'
import type { GuestWatch } from './guest-watch.ts'
import { HOST_LABEL, isOnHost, isOwnedBy, ownerInWords } from './ownership.ts'
import { hasStartRequest } from './power-state.ts'
import { Removal } from './removal.ts'
import type { VirtualMachine } from './resources.ts'
import { type Placement, toUserDataProbe, toUserDataSecret, toVirtualMachine } from './to-virtual-machine.ts'

/** Makes one guest's VirtualMachine, or takes over the one that is there. */
export class Launch {
  readonly #requests: GuestRequests
  readonly #watch: GuestWatch
  readonly #guest: GuestSpec
  readonly #placement: Placement

  constructor(
    deps: { readonly requests: GuestRequests; readonly watch: GuestWatch },
    guest: GuestSpec,
    placement: Placement,
  ) {
    this.#requests = deps.requests
    this.#watch = deps.watch
    this.#guest = guest
    this.#placement = placement
  }

  /** Afterwards the guest has been asked to start, by us or before. */
  async run(log: Logger, options: SpawnOptions & { readonly removalTimeoutMs: number }): Promise<void> {
    try {
      await this.#make(log, options)
      // Only now: a request whose answer is not waited for would leave a VM that nobody knows of.
      options.signal?.throwIfAborted()
      if (!this.#isStarted()) this.#watch.observe(await this.#requests.start(this.#guest))
    } catch (error) {
      throw error instanceof ApiError ? this.#refused(error) : error
    }
  }

  /** The error for a guest that was made and does not come up. */
  errorOf({ blame, reason }: Failure, cause?: unknown): BuildAbortException | InstanceDeployFailure {
    const instance = this.#guest.uid
    return blame === 'abort'
      ? new BuildAbortException({ instance, reason }, { cause })
      : new InstanceDeployFailure({ instance, host: this.#placement.host, reason }, { cause })
  }

  async #make(log: Logger, options: SpawnOptions & { readonly removalTimeoutMs: number }): Promise<void> {
    for (;;) {
      const found = this.#watch.find(this.#guest).vm ?? (await this.#createOrFind(log))
      if (found === 'created') return
      // It went away between two looks: the name is free now.
      if (!found) continue
      this.#refuseOthers(found)
      this.#watch.observe(found)
      if (found.metadata.deletionTimestamp === undefined) {
        await this.#createSecret()
        log.info('Took over the VirtualMachine that was there', { vm: this.#guest.name })
        return
      }
      const removal = new Removal(
        { requests: this.#requests, watch: this.#watch },
        this.#placement.host,
        this.#guest,
      )
      if (await removal.isGone(options.removalTimeoutMs, options.signal)) continue
      throw this.errorOf({ blame: 'host', reason: 'its earlier VirtualMachine does not go away' })
    }
  }

  async #createOrFind(log: Logger): Promise<VirtualMachine | 'created' | undefined> {
    const wanted = toVirtualMachine(this.#guest, this.#placement)
    await this.#checkUserDataSecret()
    await this.#createSecret()
    const vm = await this.#requests.create(wanted)
    if (!vm) return this.#requests.get(this.#guest)
    this.#watch.observe(vm)
    log.info('Created the VirtualMachine', { vm: this.#guest.name, host: this.#placement.host })
    return 'created'
  }

  /** Without it KubeVirt would wait in silence: a Pod whose Secret is missing just does not start. */
  async #checkUserDataSecret(): Promise<void> {
    const probe = toUserDataProbe(this.#guest, this.#placement.host)
    if (!probe || !(await this.#requests.lacksSecret(probe))) return
    const { name, namespace = '' } = probe.metadata
    throw new InstanceUserDataMalformed({ reason: `there is no Secret ${name} in namespace ${namespace}` })
  }

  async #createSecret(): Promise<void> {
    const secret = toUserDataSecret(this.#guest, this.#placement.host)
    if (secret) await this.#requests.createSecret(secret)
  }

  /** One instance never has two VMs: while its VM is pinned to another host, this host makes none. */
  #refuseOthers(vm: VirtualMachine): void {
    const { namespace, name } = this.#guest
    if (!isOwnedBy(vm, this.#guest)) {
      throw new InstanceExists({ name: `${namespace}/${name}`, owner: ownerInWords(vm) })
    }
    if (!isOnHost(vm, this.#placement.host)) {
      const other = vm.metadata.labels?.[HOST_LABEL] ?? 'another host'
      throw this.errorOf({ blame: 'host', reason: `its VirtualMachine is still on ${other}` })
    }
  }

  #isStarted(): boolean {
    const { vm, vmi } = this.#watch.find(this.#guest)
    return vmi !== undefined || vm?.status?.created === true || hasStartRequest(vm)
  }

  /** What the API server says no to, it says no to on every host; what may pass by itself is no answer yet. */
  #refused(error: ApiError): Error {
    const { code, message } = error
    if (isRetryable(error)) return error
    return this.errorOf({ blame: REFUSALS.has(code) ? 'abort' : 'host', reason: message }, error)
  }
}

/** Bad request, forbidden, no such namespace, invalid. */
const REFUSALS: ReadonlySet<number> = new Set([400, 403, 404, 422])
