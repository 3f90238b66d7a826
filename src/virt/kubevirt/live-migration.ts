import { createHash } from 'node:crypto'
import type { Clock } from '../../common/clock.ts'
import { MigrationError } from '../../common/errors/guest.ts'
import { messageOf } from '../../common/errors/message-of.ts'
import type { Logger } from '../../common/log.ts'
import { ApiError, isRetryable } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { GuestRef } from '../driver.ts'
import type { LiveMigrateOptions } from '../guest-moves.ts'
import { waitUntil } from '../wait-until.ts'
import { hostsOf } from './affinity.ts'
import { followObject } from './follow-object.ts'
import type { GuestWatch } from './guest-watch.ts'
import {
  VIRTUAL_MACHINE_INSTANCE_MIGRATION,
  type VirtualMachineInstanceMigration,
} from './migration-resource.ts'
import type { MoveRequests } from './move-requests.ts'
import { HOST_LABEL, hostLabelValue, INSTANCE_UID_LABEL, REQUEST_ID_ANNOTATION } from './ownership.ts'
import type { VirtualMachine, VirtualMachineInstance } from './resources.ts'
import { ownerReferenceTo } from './to-virtual-machine.ts'

export interface LiveMigrationDeps {
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
  readonly requests: MoveRequests
  readonly watch: GuestWatch
}

export interface LiveMigrationLimits {
  readonly host: string
  /** How long KubeVirt may take to let a running guest know that it may move. */
  readonly rolloutTimeoutMs: number
}

/** Which guest goes where, for which request. */
export interface Move extends LiveMigrateOptions {
  readonly guest: GuestRef
  readonly requestId: string
}

/** Moves one running guest to another host. */
export class LiveMigration {
  readonly #deps: LiveMigrationDeps
  readonly #limits: LiveMigrationLimits
  readonly #requestId: string
  readonly #guest: GuestRef
  readonly #to: string
  readonly #signal: AbortSignal | undefined

  constructor(deps: LiveMigrationDeps, limits: LiveMigrationLimits, move: Move) {
    this.#deps = deps
    this.#limits = limits
    this.#requestId = move.requestId
    this.#guest = move.guest
    this.#to = move.to
    this.#signal = move.signal
  }

  async run(vm: VirtualMachine): Promise<void> {
    try {
      await this.#run(vm)
    } catch (error) {
      throw error instanceof ApiError && !isRetryable(error) ? this.#failure(messageOf(error), error) : error
    }
  }

  async #run(vm: VirtualMachine): Promise<void> {
    const { log } = this.#deps
    const vmi = await this.#running(vm)
    const earlier = await this.#earlier()
    if (isOn(vmi, this.#to) && (!earlier || isFinal(earlier))) return
    const migration = earlier ?? (await this.#begin())
    await this.#judge(await this.#endOf(migration))
    log.info('Moved the running guest', { to: this.#to })
  }

  /** The migration that we began before a crash. One of an earlier request that has ended says nothing of this one. */
  async #earlier(): Promise<VirtualMachineInstanceMigration | undefined> {
    const { requests } = this.#deps
    const ref = { namespace: this.#guest.namespace, name: this.#name() }
    const found = await requests.find(VIRTUAL_MACHINE_INSTANCE_MIGRATION, ref)
    if (!found || !isFinal(found) || this.#isOurs(found)) return found
    await requests.remove(VIRTUAL_MACHINE_INSTANCE_MIGRATION, found)
    // KubeVirt holds it for a moment, and the name with it.
    const followed = { type: VIRTUAL_MACHINE_INSTANCE_MIGRATION, object: found, signal: this.#signal }
    await followObject(this.#deps, followed, (seen) => seen?.metadata.uid !== found.metadata.uid || undefined)
    return undefined
  }

  async #begin(): Promise<VirtualMachineInstanceMigration> {
    const { requests, log } = this.#deps
    await this.#allowed()
    this.#signal?.throwIfAborted()
    const migration = await requests.make(VIRTUAL_MACHINE_INSTANCE_MIGRATION, this.#migration())
    log.info('Began to move the running guest', { to: this.#to, migration: migration.metadata.name })
    return migration
  }

  /** The migration when it is over; undefined when it was removed. */
  async #endOf(
    migration: VirtualMachineInstanceMigration,
  ): Promise<VirtualMachineInstanceMigration | undefined> {
    const look = (
      seen: VirtualMachineInstanceMigration | undefined,
    ): VirtualMachineInstanceMigration | 'removed' | undefined => {
      if (!seen) return 'removed'
      return isFinal(seen) ? seen : undefined
    }
    const followed = { type: VIRTUAL_MACHINE_INSTANCE_MIGRATION, object: migration, signal: this.#signal }
    const end = await followObject(this.#deps, followed, look)
    return end === 'removed' ? undefined : end
  }

  /** The guest as KubeVirt runs it; we may not have been told of it yet. */
  async #running(vm: VirtualMachine): Promise<VirtualMachineInstance> {
    const { watch } = this.#deps
    watch.observe(vm)
    const look = (): VirtualMachineInstance | 'none' | undefined => {
      const known = watch.find(this.#guest)
      return known.vmi ?? (known.vm?.status?.created === true ? undefined : 'none')
    }
    const vmi = await this.#wait(look)
    if (vmi === undefined || vmi === 'none' || vmi.status?.phase !== 'Running') {
      throw this.#failure('it does not run')
    }
    return vmi
  }

  /** KubeVirt makes the Pod at the destination from the VMI, which learns of a change of its VM a moment later. */
  async #allowed(): Promise<void> {
    const { watch } = this.#deps
    const isAllowed = await this.#wait(
      () => hostsOf(watch.find(this.#guest).vmi?.spec.affinity).includes(this.#to) || undefined,
    )
    if (isAllowed) return
    const isAsked = hostsOf(watch.find(this.#guest).vm?.spec.template.spec.affinity).includes(this.#to)
    throw this.#failure(
      isAsked
        ? `KubeVirt does not let it leave its node: its vmRolloutStrategy must be LiveUpdate, and the VirtualMachine must not have the condition RestartRequired (switch the instance off and on)`
        : `its VirtualMachine was not allowed to run on ${this.#to}`,
    )
  }

  async #judge(migration: VirtualMachineInstanceMigration | undefined): Promise<void> {
    const { watch } = this.#deps
    const vmi = (): VirtualMachineInstance | undefined => watch.find(this.#guest).vmi
    if (migration?.status?.phase !== 'Succeeded') throw this.#failure(reasonOf(migration, vmi()))
    const isThere = await this.#wait(() => isOn(vmi(), this.#to) || undefined)
    if (!isThere) throw this.#failure(`KubeVirt moved it to ${vmi()?.status?.nodeName ?? 'nowhere'}`)
  }

  async #wait<T>(look: () => T | undefined): Promise<T | undefined> {
    const limits = { timeoutMs: this.#limits.rolloutTimeoutMs, signal: this.#signal }
    return waitUntil(this.#deps.watch.changesOf(this.#guest), look, limits)
  }

  /** The same for every try of one move. */
  #name(): string {
    const digest = createHash('sha256').update(this.#to).digest('hex').slice(0, 8)
    return `kilonova-${this.#guest.uid}-${digest}`
  }

  #migration(): VirtualMachineInstanceMigration {
    const { namespace, name, uid } = this.#guest
    return {
      apiVersion: 'kubevirt.io/v1',
      kind: 'VirtualMachineInstanceMigration',
      metadata: {
        namespace,
        name: this.#name(),
        labels: {
          'app.kubernetes.io/managed-by': 'kilonova',
          [INSTANCE_UID_LABEL]: uid,
          [HOST_LABEL]: hostLabelValue(this.#limits.host),
        },
        annotations: { [REQUEST_ID_ANNOTATION]: this.#requestId },
        ownerReferences: [ownerReferenceTo(this.#guest)],
      },
      spec: { vmiName: name },
    }
  }

  #isOurs({ metadata }: VirtualMachineInstanceMigration): boolean {
    return metadata.annotations?.[REQUEST_ID_ANNOTATION] === this.#requestId
  }

  #failure(reason: string, cause?: unknown): MigrationError {
    return new MigrationError({ instance: this.#guest.uid, reason }, { cause })
  }
}

function isFinal({ status }: VirtualMachineInstanceMigration): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed'
}

function isOn(vmi: VirtualMachineInstance | undefined, host: string): boolean {
  return vmi?.status?.nodeName === host
}

/** Why a migration came to nothing. */
function reasonOf(
  migration: VirtualMachineInstanceMigration | undefined,
  vmi: VirtualMachineInstance | undefined,
): string {
  if (!migration) return 'its migration was cancelled'
  const { migrationState = vmi?.status?.migrationState } = migration.status ?? {}
  return migrationState?.failureReason ?? 'KubeVirt could not move it, and gives no reason'
}
