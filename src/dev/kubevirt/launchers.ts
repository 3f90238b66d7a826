import { createHash } from 'node:crypto'
import { messageOf } from '../../common/errors/message-of.ts'
import type { Logger } from '../../common/log.ts'
import { isAlreadyExists, isNotFound } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { ObjectRef } from '../../kube/resource.ts'
import {
  CONSOLE_CONTAINER,
  CREATED_BY_LABEL,
  LAUNCHER,
  LAUNCHER_LABEL,
} from '../../virt/kubevirt/launcher-pod.ts'
import { POD, type Pod, type VirtualMachineInstance } from '../../virt/kubevirt/resources.ts'

const NAME_LABEL = 'vm.kubevirt.io/name'

/** The launcher Pods of guests, as far as one looks at them: there while a guest has a node, with nothing inside. */
export class Launchers {
  readonly #client: KubeClient
  readonly #log: Logger
  /** By the VMI's uid. One that moved to another node has another there. */
  readonly #made = new Map<string, Required<ObjectRef>>()
  readonly #removals = new Set<Promise<void>>()

  constructor(deps: { readonly client: KubeClient; readonly log: Logger }) {
    this.#client = deps.client
    this.#log = deps.log
  }

  async make(vmi: VirtualMachineInstance): Promise<void> {
    const uid = vmi.metadata.uid ?? ''
    const ref = refOf(vmi)
    const before = this.#made.get(uid)
    const hasNode = vmi.status?.phase === 'Scheduled' || vmi.status?.phase === 'Running'
    if (!hasNode || vmi.metadata.deletionTimestamp !== undefined || before?.name === ref.name) return
    this.#made.set(uid, ref)
    try {
      await this.#client.create(POD, launcherOf(vmi))
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
    if (before) this.#begin(this.#delete(before))
  }

  /** The VMI is gone. */
  remove({ metadata }: VirtualMachineInstance): void {
    const made = this.#made.get(metadata.uid ?? '')
    this.#made.delete(metadata.uid ?? '')
    if (made) this.#begin(this.#delete(made))
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#removals)
  }

  #begin(work: Promise<void>): void {
    const removal = work.finally(() => this.#removals.delete(removal))
    this.#removals.add(removal)
  }

  async #delete(pod: Required<ObjectRef>): Promise<void> {
    try {
      // Nobody is there whose end it would wait for.
      await this.#client.delete(POD, pod, { gracePeriodSeconds: 0 })
    } catch (error) {
      if (!isNotFound(error)) this.#log.warn('Could not remove a launcher Pod', { error: messageOf(error) })
    }
  }
}

/** The name of the VMI that a launcher Pod runs. */
export function guestNameOf(pod: Pod): string {
  return pod.metadata.labels?.[NAME_LABEL] ?? ''
}

function refOf({ metadata, status }: VirtualMachineInstance): Required<ObjectRef> {
  const { name, namespace = '', uid = '' } = metadata
  // Where KubeVirt takes random letters: whoever makes it again finds it there.
  const digest = createHash('sha256').update(`${uid} ${status?.nodeName}`).digest('hex')
  return { namespace, name: `virt-launcher-${name}-${digest.slice(0, 5)}` }
}

function launcherOf(vmi: VirtualMachineInstance): Pod {
  const { name, uid = '', labels } = vmi.metadata
  const image = 'kubevirt-stand-in/virt-launcher'
  // An init container that stays.
  const sidecar = { name: CONSOLE_CONTAINER, image, restartPolicy: 'Always' }
  const compute = { name: 'compute', image }
  const nodeName = vmi.status?.nodeName ?? ''
  const spec = { nodeName, restartPolicy: 'Never', initContainers: [sidecar], containers: [compute] }
  const owner = { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachineInstance', name, uid, controller: true }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...refOf(vmi),
      labels: { ...labels, [LAUNCHER_LABEL]: LAUNCHER, [CREATED_BY_LABEL]: uid, [NAME_LABEL]: name },
      ownerReferences: [{ ...owner, blockOwnerDeletion: true }],
    },
    spec,
  }
}
