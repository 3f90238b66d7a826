import { ConsoleNotAvailable } from '../../common/errors/guest.ts'
import { ApiError } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { GuestRef } from '../driver.ts'
import type { GuestWatch } from './guest-watch.ts'
import { isFinal } from './power-state.ts'
import { CONSOLE_CONTAINER, CREATED_BY_LABEL, LAUNCHER, LAUNCHER_LABEL } from './launcher-pod.ts'
import { POD, type Pod, type VirtualMachineInstance } from './resources.ts'

/** The Pod or its container is not there, or has not begun. */
const NO_LOG: ReadonlySet<number> = new Set([400, 404])
/** As much as Nova hands out. */
const LIMIT_BYTES = 100 * 1024

/** Reads the serial console of one guest: the log of a container in its launcher Pod, which goes with the Pod. */
export class ConsoleLog {
  readonly #client: KubeClient
  readonly #watch: GuestWatch
  readonly #guest: GuestRef

  constructor(deps: { readonly client: KubeClient; readonly watch: GuestWatch }, guest: GuestRef) {
    this.#client = deps.client
    this.#watch = deps.watch
    this.#guest = guest
  }

  /** At most so many lines, the last ones. */
  async read(lines: number): Promise<string> {
    const { vmi } = this.#watch.find(this.#guest)
    if (!vmi || isFinal(vmi)) throw this.#none('the guest is off')
    try {
      const { namespace = '', name } = (await this.#launcherOf(vmi)).metadata
      const query = `container=${CONSOLE_CONTAINER}&tailLines=${lines}`
      const text = await this.#client.getRaw(`/api/v1/namespaces/${namespace}/pods/${name}/log?${query}`)
      return endOf(text)
    } catch (error) {
      // What is no trouble of the API's own is a Pod that has gone, or has not begun.
      const isNone = error instanceof ApiError && NO_LOG.has(error.code)
      throw isNone ? this.#none(error.message, error) : error
    }
  }

  async #launcherOf(vmi: VirtualMachineInstance): Promise<Pod> {
    const { namespace } = this.#guest
    const labelSelector = `${LAUNCHER_LABEL}=${LAUNCHER},${CREATED_BY_LABEL}=${vmi.metadata.uid ?? ''}`
    const { items } = await this.#client.list(POD, { namespace, labelSelector })
    // While it is moved to another node it has two.
    const pod = items.find(({ spec }) => spec?.nodeName === vmi.status?.nodeName)
    if (!pod) throw this.#none('it has no launcher Pod')
    // A sidecar is an init container that stays.
    const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]
    if (containers.some(({ name }) => name === CONSOLE_CONTAINER)) return pod
    throw this.#none(
      `its launcher Pod ${pod.metadata.name} has no container ${CONSOLE_CONTAINER}: KubeVirt is set to keep no serial console log`,
    )
  }

  #none(reason: string, cause?: unknown): ConsoleNotAvailable {
    return new ConsoleNotAvailable({ instance: this.#guest.uid, reason }, { cause })
  }
}

function endOf(text: string): string {
  const bytes = Buffer.from(text)
  return bytes.length <= LIMIT_BYTES ? text : bytes.subarray(-LIMIT_BYTES).toString('utf8')
}
