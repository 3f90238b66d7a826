import { FLAVOR, type Flavor } from '../apis/v1alpha1/flavor.ts'
import { IMAGE, type Image } from '../apis/v1alpha1/image.ts'
import type { Instance } from '../apis/v1alpha1/instance.ts'
import { FlavorNotFound, ImageNotFound } from '../common/errors/flavor-and-image.ts'
import { isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import type { KubeObject, ResourceType } from '../kube/resource.ts'
import {
  type BuildRequest,
  checkFlavorFitsImage,
  type DiskSource,
  type InstanceFlavor,
  toBuildRequest,
  toDisk,
} from './build-request.ts'

/** What is known without asking the API server: flavors and images hardly change. */
export interface Catalogue {
  readonly flavor: (name: string) => Flavor | undefined
  readonly image: (name: string) => Image | undefined
}

const NOTHING_KNOWN: Catalogue = { flavor: () => undefined, image: () => undefined }

/** Turns an instance and the names in it into a request that can travel. */
export class BuildRequestResolver {
  readonly #client: KubeClient
  readonly #known: Catalogue

  /** @param deps.known is asked first; what it does not know is read, as it may be new. */
  constructor(deps: { readonly client: KubeClient; readonly known?: Catalogue }) {
    this.#client = deps.client
    this.#known = deps.known ?? NOTHING_KNOWN
  }

  /**
   * An instance that was bound before keeps the flavor it was bound with, also when that has changed or is gone, and gets the one
   * that it is resized to; a rebuilt one has the image of its last rebuild.
   *
   * @throws FlavorNotFound, ImageNotFound, FlavorMemoryTooSmall, FlavorDiskSmallerThanMinDisk,
   *   ImageUnacceptable when the instance can never be built as it is
   */
  async resolve(instance: Instance): Promise<BuildRequest> {
    const { spec, status } = instance
    const carried = flavorOf(status)
    const [flavor, image] = await Promise.all([
      carried ? this.#withExtraSpecs(carried) : this.flavor(spec.flavor),
      this.#image(status.image ?? spec.image),
    ])
    checkFlavorFitsImage(flavor, image)
    return toBuildRequest(instance, flavor, image)
  }

  /**
   * A flavor by its name, as it is now: for an instance that is to carry it from here on.
   * @throws FlavorNotFound
   */
  async flavor(name: string): Promise<InstanceFlavor> {
    const flavor =
      this.#known.flavor(name) ?? (await this.#find(FLAVOR, name, () => new FlavorNotFound({ flavor: name })))
    const { vcpus, memoryMb, diskGb, extraSpecs = {} } = flavor.spec
    return { name, vcpus, memoryMb, diskGb, extraSpecs }
  }

  /**
   * Where the disk of an image comes from.
   * @throws ImageNotFound, ImageUnacceptable when it names no source
   */
  async disk(name: string): Promise<DiskSource> {
    return toDisk(await this.#image(name))
  }

  /** @throws ImageNotFound */
  async image(name: string): Promise<Image> {
    return this.#image(name)
  }

  /** What an older version left out is what the flavor asks for now, and nothing where that is gone. */
  async #withExtraSpecs(carried: InstanceFlavor): Promise<InstanceFlavor> {
    if (carried.extraSpecs) return carried
    try {
      const { extraSpecs } = await this.flavor(carried.name)
      return { ...carried, extraSpecs }
    } catch (error) {
      if (!(error instanceof FlavorNotFound)) throw error
      return carried
    }
  }

  async #image(name: string): Promise<Image> {
    return this.#known.image(name) ?? this.#find(IMAGE, name, () => new ImageNotFound({ image: name }))
  }

  async #find<T extends KubeObject>(type: ResourceType<T>, name: string, missing: () => Error): Promise<T> {
    try {
      return await this.#client.get(type, { name })
    } catch (error) {
      throw isNotFound(error) ? missing() : error
    }
  }
}

/** The flavor that an instance has or is getting; none before it is bound. */
function flavorOf({ flavor, host, migration }: Instance['status']): InstanceFlavor | undefined {
  if (!migration) return flavor
  return (
    (host === migration.sourceHost && migration.status === 'reverting'
      ? migration.oldFlavor
      : migration.newFlavor) ?? flavor
  )
}
