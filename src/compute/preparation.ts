import { IMAGE } from '../apis/v1alpha1/image.ts'
import type { Instance } from '../apis/v1alpha1/instance.ts'
import type { InstanceActionSpec } from '../apis/v1alpha1/instance-action.ts'
import type { OperationName } from '../apis/v1alpha1/operations.ts'
import { CannotResizeDisk, ImageConflict } from '../common/errors/flavor-and-image.ts'
import { CannotMigrateToSameHost, ComputeHostNotFound } from '../common/errors/host.ts'
import { InstanceNotReady } from '../common/errors/instance-state.ts'
import { isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import { checkFlavorFitsImage } from '../objects/build-request.ts'
import type { BuildRequestResolver } from '../objects/build-request-resolver.ts'
import type { InstanceUpdate, MigrationState } from '../objects/instance-update.ts'
import type { HostStates } from './host-states.ts'

/** Looks at what one operation needs, and gives what it writes down, if that is anything. */
type Prepare = (
  instance: Instance,
  asked: InstanceActionSpec | undefined,
) => Promise<InstanceUpdate | undefined | void>

/** What an operation writes down of its request when it begins, after a look at whether it can be done at all. */
export class Preparation {
  readonly #client: KubeClient
  readonly #requests: BuildRequestResolver
  readonly #hosts: HostStates
  readonly #prepare: Readonly<Partial<Record<OperationName, Prepare>>> = {
    resize: async (instance) => ({ migration: await this.#resize(instance) }),
    migrate: async (instance, asked) => ({ migration: this.#move(instance, 'migration', asked?.host) }),
    'live-migration': async (instance, asked) => ({
      migration: this.#move(instance, 'live-migration', asked?.host),
    }),
    evacuate: async (instance, asked) => ({ migration: this.#move(instance, 'evacuation', asked?.host) }),
    confirmResize: async () => ({ migration: { status: 'confirming' } }),
    rebuild: async (instance, asked) => this.#rebuild(instance, asked?.image ?? ''),
    rescue: async (instance, asked) => {
      await this.#requests.rescueDisk(instance, asked?.image)
    },
    createImage: async (_instance, asked) => this.#checkIsFree(asked?.imageName ?? ''),
  }

  constructor(deps: {
    readonly client: KubeClient
    readonly requests: BuildRequestResolver
    readonly hosts: HostStates
  }) {
    this.#client = deps.client
    this.#requests = deps.requests
    this.#hosts = deps.hosts
  }

  /**
   * @throws FlavorNotFound, ImageNotFound, FlavorMemoryTooSmall, FlavorDiskSmallerThanMinDisk, CannotResizeDisk,
   *   CannotMigrateToSameHost, ComputeHostNotFound, ImageConflict
   */
  async of(
    instance: Instance,
    name: OperationName,
    asked: InstanceActionSpec | undefined,
  ): Promise<InstanceUpdate> {
    return (await this.#prepare[name]?.(instance, asked)) ?? {}
  }

  async #resize(instance: Instance): Promise<MigrationState> {
    const { spec, status, metadata } = instance
    const newFlavor = await this.#requests.flavor(spec.flavor)
    checkFlavorFitsImage(newFlavor, await this.#requests.imageOf(instance))
    const move = this.#move(instance, 'resize', undefined)
    const oldFlavor = status.flavor
    const [fromGb, toGb] = [oldFlavor?.diskGb ?? 0, newFlavor.diskGb]
    if (toGb < fromGb) throw new CannotResizeDisk({ instance: metadata.uid ?? metadata.name, fromGb, toGb })
    return { ...move, oldFlavor, newFlavor }
  }

  #move(
    { status, metadata }: Instance,
    type: MigrationState['type'],
    requestedHost: string | undefined,
  ): MigrationState {
    const { host, vmState } = status
    const { uid: instance = metadata.name } = metadata
    if (requestedHost !== undefined) {
      if (requestedHost === host) throw new CannotMigrateToSameHost({ instance, host })
      if (!this.#hosts.isKnown(requestedHost)) throw new ComputeHostNotFound({ host: requestedHost })
    }
    if (vmState !== 'active' && vmState !== 'stopped' && vmState !== 'paused' && vmState !== 'error') {
      throw new InstanceNotReady({ instance, reason: `it cannot move while it is ${vmState ?? 'building'}` })
    }
    return {
      type,
      status: 'accepted',
      oldVmState: vmState,
      ...(host !== undefined && { sourceHost: host }),
      ...(requestedHost !== undefined && { requestedHost }),
    }
  }

  async #rebuild({ status }: Instance, name: string): Promise<InstanceUpdate> {
    const imageMeta = await this.#requests.image(name)
    if (status.flavor) checkFlavorFitsImage(status.flavor, imageMeta)
    const { os_shutdown_timeout: shutdownTimeoutSeconds = null } = imageMeta.properties
    return { image: name, imageMeta, shutdownTimeoutSeconds }
  }

  async #checkIsFree(image: string): Promise<void> {
    try {
      await this.#client.get(IMAGE, { name: image })
    } catch (error) {
      if (isNotFound(error)) return
      throw error
    }
    throw new ImageConflict({ image })
  }
}
