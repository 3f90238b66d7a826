import type { Clock } from '../../common/clock.ts'
import { toTimestamp } from '../../common/clock.ts'
import type { Logger } from '../../common/log.ts'
import { isNotFound } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import { Controller, DONE, type Result } from '../../kube/controller.ts'
import { Informer } from '../../kube/informer.ts'
import { keyOf, refOf } from '../../kube/resource.ts'
import type { ReadonlyStore } from '../../kube/store.ts'
import {
  type MigrationState,
  VIRTUAL_MACHINE_INSTANCE_MIGRATION,
  type VirtualMachineInstanceMigration,
} from '../../virt/kubevirt/migration-resource.ts'
import type { Node, VirtualMachine, VirtualMachineInstance } from '../../virt/kubevirt/resources.ts'
import type { MachineWrites } from './machine-writes.ts'
import { isOver, type MigrationStep, migrationStepOf } from './migration-step.ts'
import { fitOf } from './placement.ts'
import type { VirtHandler } from './virt-handler.ts'

/** KubeVirt's own name for it: a migration that is removed stays until it is called off. */
const FINALIZER = 'kubevirt.io/migrationJobFinalize'

export interface MigrationsDeps {
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
  readonly vms: ReadonlyStore<VirtualMachine>
  readonly vmis: ReadonlyStore<VirtualMachineInstance>
  readonly nodes: () => readonly Node[]
  readonly writes: MachineWrites
  readonly handler: VirtHandler
}

export interface MigrationsOptions {
  /** How long a move takes. */
  readonly moveMs: number
  /** How long a target Pod may find no node before the migration has failed. */
  readonly unschedulableMs: number
}

/** Moves guests from node to node as KubeVirt's migration controller has them moved. */
export class Migrations {
  readonly #deps: MigrationsDeps
  readonly #options: MigrationsOptions
  readonly #informer: Informer<VirtualMachineInstanceMigration>
  readonly #controller: Controller
  /** When a migration was first seen, and first seen to move its guest, by uid. */
  readonly #madeMs = new Map<string, number>()
  readonly #movingMs = new Map<string, number>()

  constructor(deps: MigrationsDeps, options: MigrationsOptions) {
    this.#deps = deps
    this.#options = options
    this.#informer = new Informer(deps, { type: VIRTUAL_MACHINE_INSTANCE_MIGRATION })
    this.#controller = new Controller(deps, {
      name: 'kubevirt-migrations',
      concurrency: 4,
      reconcile: async (key) => this.#reconcile(key),
    })
    this.#informer.onChange(({ type, object }) => {
      if (type !== 'deleted') return this.#controller.enqueue(keyOf(object.metadata))
      this.#madeMs.delete(object.metadata.uid ?? '')
      this.#movingMs.delete(object.metadata.uid ?? '')
    })
  }

  async start(signal?: AbortSignal): Promise<void> {
    this.#informer.start()
    await this.#informer.synced(signal)
    this.#controller.start()
  }

  async stop(): Promise<void> {
    await this.#controller.stop()
    await this.#informer.stop()
  }

  /** The guest, or a node, changed: a migration may go on. */
  lookAgain(namespace?: string, vmiName?: string): void {
    for (const migration of this.#informer.store.list()) {
      const isMeant =
        vmiName === undefined ||
        (migration.spec.vmiName === vmiName && migration.metadata.namespace === namespace)
      if (isMeant && !isOver(migration)) this.#controller.enqueue(keyOf(migration.metadata))
    }
  }

  async #reconcile(key: string): Promise<Result> {
    const migration = this.#informer.store.get(key)
    if (!migration) return DONE
    if (migration.metadata.deletionTimestamp !== undefined) {
      await this.#cancel(migration)
      await this.#setFinalizers(migration, null)
      return DONE
    }
    const { namespace = '' } = migration.metadata
    const vmiKey = keyOf({ namespace, name: migration.spec.vmiName })
    const vmi = this.#deps.vmis.get(vmiKey)
    const step = this.#stepOf(migration, vmi, this.#deps.vms.get(vmiKey))
    if (step.kind === 'wait') return step.afterMs === undefined ? DONE : { kind: 'after', ms: step.afterMs }
    await this.#take(step, migration, vmi)
    return { kind: 'after', ms: 0 }
  }

  #stepOf(
    migration: VirtualMachineInstanceMigration,
    vmi: VirtualMachineInstance | undefined,
    vm: VirtualMachine | undefined,
  ): MigrationStep {
    const { clock, handler, nodes } = this.#deps
    const { uid = '' } = migration.metadata
    const nowMs = clock.now()
    const others = nodes().filter(({ metadata }) => metadata.name !== vmi?.status?.nodeName)
    const isMoving = vmi?.status?.migrationState?.migrationUid === uid
    return migrationStepOf({
      migration,
      vmi,
      behaviour: handler.behaviourOf(vm, vmi),
      fit: vmi ? fitOf(vmi.spec, others) : { message: 'there is no VMI' },
      ageMs: nowMs - since(this.#madeMs, uid, nowMs),
      movingMs: isMoving ? nowMs - since(this.#movingMs, uid, nowMs) : 0,
      ...this.#options,
    })
  }

  async #take(
    step: Exclude<MigrationStep, { kind: 'wait' }>,
    migration: VirtualMachineInstanceMigration,
    vmi: VirtualMachineInstance | undefined,
  ): Promise<void> {
    const { handler } = this.#deps
    switch (step.kind) {
      case 'accept':
        await this.#setFinalizers(migration, [FINALIZER])
        return this.#writePhase(migration, 'Scheduling')
      case 'begin':
        return this.#begin(migration, vmi, step.target)
      case 'arrive': {
        const migrationState = { completed: true, endTimestamp: this.#now() }
        // A Pod on another node has another address.
        const interfaces = vmi ? handler.newAddressOf(vmi) : []
        return this.#writeVmi(vmi, { nodeName: step.target, interfaces, migrationState })
      }
      case 'fail': {
        const state = { completed: true, failed: true, failureReason: step.reason }
        const isOurs = vmi?.status?.migrationState?.migrationUid === migration.metadata.uid
        if (isOurs) await this.#writeVmi(vmi, { migrationState: { ...state, endTimestamp: this.#now() } })
        return this.#writePhase(migration, 'Failed', state)
      }
      case 'end':
        return this.#writePhase(migration, step.state.failed ? 'Failed' : 'Succeeded', step.state)
    }
  }

  async #begin(
    migration: VirtualMachineInstanceMigration,
    vmi: VirtualMachineInstance | undefined,
    targetNode: string,
  ): Promise<void> {
    const migrationUid = migration.metadata.uid ?? ''
    const sourceNode = vmi?.status?.nodeName ?? ''
    const now = { startTimestamp: this.#now(), completed: false, failed: false }
    // What an earlier one left.
    const past = { failureReason: null, endTimestamp: null }
    await this.#writeVmi(vmi, { migrationState: { migrationUid, sourceNode, targetNode, ...now, ...past } })
    await this.#writePhase(migration, 'Running', { migrationUid, sourceNode, targetNode })
  }

  /** One that is removed while it is under way is called off. */
  async #cancel({ metadata, spec }: VirtualMachineInstanceMigration): Promise<void> {
    const { uid = '', namespace = '' } = metadata
    const vmi = this.#deps.vmis.get(keyOf({ namespace, name: spec.vmiName }))
    const state = vmi?.status?.migrationState
    if (state?.migrationUid !== uid || state.completed === true) return
    const migrationState = { completed: true, failed: true, failureReason: 'Live migration aborted' }
    await this.#writeVmi(vmi, { migrationState }).catch(ignoreNotFound)
  }

  async #setFinalizers(
    migration: VirtualMachineInstanceMigration,
    finalizers: readonly string[] | null,
  ): Promise<void> {
    const patch = { metadata: { finalizers } }
    const { client } = this.#deps
    await client.mergePatch(VIRTUAL_MACHINE_INSTANCE_MIGRATION, refOf(migration), patch).catch(ignoreNotFound)
  }

  async #writeVmi(vmi: VirtualMachineInstance | undefined, status: object): Promise<void> {
    if (vmi) await this.#deps.writes.patchVmiStatus(vmi, status)
  }

  async #writePhase(
    migration: VirtualMachineInstanceMigration,
    phase: string,
    migrationState?: MigrationState,
  ): Promise<void> {
    const status = { phase, ...(migrationState && { migrationState }) }
    try {
      const answer = await this.#deps.client.mergePatch(
        VIRTUAL_MACHINE_INSTANCE_MIGRATION,
        refOf(migration),
        { status },
        { subresource: 'status' },
      )
      this.#informer.observe(answer)
    } catch (error) {
      ignoreNotFound(error)
    }
  }

  #now(): string {
    return toTimestamp(this.#deps.clock.now())
  }
}

function since(times: Map<string, number>, uid: string, nowMs: number): number {
  const known = times.get(uid) ?? nowMs
  times.set(uid, known)
  return known
}

function ignoreNotFound(error: unknown): void {
  if (!isNotFound(error)) throw error
}
