import { MigrationError } from '../../common/errors/guest.ts'
import { messageOf } from '../../common/errors/message-of.ts'
import { KubernetesUnavailable } from '../../common/errors/unavailable.ts'
import type { Logger } from '../../common/log.ts'
import { ApiError, isConflict, isNotFound, isRetryable } from '../../kube/api-error.ts'
import type { GuestSpec } from '../driver.ts'
import { GuestNotFound } from '../guest-not-found.ts'
import { waitUntil } from '../wait-until.ts'
import type { GuestRequests } from './guest-requests.ts'
import type { GuestWatch } from './guest-watch.ts'
import type { MoveRequests } from './move-requests.ts'
import { isOnHost, isOwnedBy } from './ownership.ts'
import { isFinal } from './power-state.ts'
import type { VirtualMachine, VirtualMachineInstance } from './resources.ts'
import { growthOf, resized } from './resized.ts'
import { toUserDataSecret } from './to-virtual-machine.ts'

export interface FinishMigrationDeps {
  readonly requests: GuestRequests
  readonly moves: MoveRequests
  readonly watch: GuestWatch
}

/** Makes a VM that was assigned to this host what its instance is now. */
export class FinishMigration {
  readonly #deps: FinishMigrationDeps
  readonly #host: string
  readonly #guest: GuestSpec

  constructor(deps: FinishMigrationDeps, host: string, guest: GuestSpec) {
    this.#deps = deps
    this.#host = host
    this.#guest = guest
  }

  /** Afterwards the guest can be started, or runs as it should already. */
  async run(
    log: Logger,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<void> {
    try {
      await this.#run(log, options)
    } catch (error) {
      throw error instanceof ApiError && !isRetryable(error) ? this.#failure(messageOf(error), error) : error
    }
  }

  async #run(
    log: Logger,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<void> {
    const { requests, moves, watch } = this.#deps
    for (;;) {
      options.signal?.throwIfAborted()
      const vm = await this.#vm()
      watch.observe(vm)
      const vmi = await this.#vmiOf(options)
      const isUp = vmi !== undefined && !isFinal(vmi) && vmi.metadata.deletionTimestamp === undefined
      const change = resized(vm, this.#guest, this.#host)
      if (isUp && change) throw this.#failure('it runs, and its size can be changed only while it is off')
      if (!change) return
      await this.#grow(vm)
      const secret = toUserDataSecret(this.#guest, this.#host)
      if (secret) await requests.createSecret(secret)
      try {
        watch.observe(await moves.patch(vm, change))
        log.info('Gave the VirtualMachine its new size and host', { vm: this.#guest.name, host: this.#host })
        return
      } catch (error) {
        if (!isConflict(error)) throw error
      }
    }
  }

  /** As the server has it: it was written by another just now. */
  async #vm(): Promise<VirtualMachine> {
    const vm = await this.#deps.requests.get(this.#guest)
    const isThere = vm && isOwnedBy(vm, this.#guest) && isOnHost(vm, this.#host)
    if (isThere && vm.metadata.deletionTimestamp === undefined) return vm
    throw new GuestNotFound({ instance: this.#guest.uid, host: this.#host })
  }

  /** What is left of its last run came with it, and we may not have been told yet. */
  async #vmiOf(options: {
    readonly timeoutMs: number
    readonly signal?: AbortSignal | undefined
  }): Promise<VirtualMachineInstance | undefined> {
    const look = (): VirtualMachineInstance | 'none' | undefined => {
      const { vm, vmi } = this.#deps.watch.find(this.#guest)
      return vmi ?? (vm?.status?.created === true ? undefined : 'none')
    }
    const found = await waitUntil(this.#deps.watch.changesOf(this.#guest), look, options)
    if (found !== undefined) return found === 'none' ? undefined : found
    const reason = 'KubeVirt says that the guest was started, and shows none'
    throw new KubernetesUnavailable({ reason })
  }

  /** Before anything else, because it may be refused. A claim that is not made yet will be made in the new size. */
  async #grow(vm: VirtualMachine): Promise<void> {
    const growth = growthOf(vm, this.#guest)
    if (!growth) return
    const { claim: name, storage } = growth
    try {
      await this.#deps.moves.growClaim({ namespace: this.#guest.namespace, name }, storage)
    } catch (error) {
      if (!isNotFound(error) || error.details?.name !== name) throw error
    }
  }

  #failure(reason: string, cause?: unknown): MigrationError {
    return new MigrationError({ instance: this.#guest.uid, reason }, { cause })
  }
}
