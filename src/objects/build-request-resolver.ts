import { FLAVOR, type Flavor } from '../apis/v1alpha1/flavor.ts'
import { IMAGE, type Image } from '../apis/v1alpha1/image.ts'
import type { Instance } from '../apis/v1alpha1/instance.ts'
import { FlavorNotFound, ImageNotFound } from '../common/errors/flavor-and-image.ts'
import type { KubeClient } from '../kube/client.ts'
import type { KubeObject, ResourceType } from '../kube/resource.ts'
import {
  type BuildRequest,
  checkFlavorFitsImage,
  type DiskSource,
  type ImageMeta,
  imageMeta,
  type InstanceFlavor,
  toBuildRequest,
  toImageMeta,
} from './build-request.ts'
import { isNotThere } from './not-there.ts'

/** What is known without asking the API server: flavors and images hardly change. */
export interface Catalogue {
  readonly flavor: (name: string) => Flavor | undefined
  readonly image: (name: string) => Image | undefined
}

const INSTEAD = 'Name another image to rescue the instance with.'

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
   * An instance that was bound before keeps the flavor and the image it was bound with, also when they have changed or are gone. It
   * gets the flavor that it is resized to, and the image that it is rebuilt from.
   *
   * @throws FlavorNotFound, ImageNotFound, FlavorMemoryTooSmall, FlavorDiskSmallerThanMinDisk,
   *   ImageUnacceptable when the instance can never be built as it is
   */
  async resolve(instance: Instance): Promise<BuildRequest> {
    const { spec, status } = instance
    const carried = flavorOf(status)
    const [flavor, image] = await Promise.all([
      carried ? this.#withExtraSpecs(carried) : this.flavor(spec.flavor),
      this.imageOf(instance),
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
   * An image by its name, as it is now: for an instance that is to carry it from here on.
   * @throws ImageNotFound, ImageUnacceptable when it names no source for its disk
   */
  async image(name: string): Promise<ImageMeta> {
    return toImageMeta(await this.#image(name))
  }

  /**
   * The image that an instance carries. One that an older version bound, or rebuilt since, has the image of that name as it is now.
   * @throws ImageNotFound, ImageUnacceptable for such a one
   */
  async imageOf({ spec, status }: Instance): Promise<ImageMeta> {
    const name = status.image ?? spec.image
    return status.imageMeta?.name === name ? imageMeta.parse(status.imageMeta) : this.image(name)
  }

  /**
   * The disk to rescue an instance with: that of an image, or that of its own. A snapshot went with the Image that was made for it,
   * so where its own is of one, that Image must be there.
   * @throws ImageNotFound, ImageUnacceptable
   */
  async rescueDisk(instance: Instance, asked: string | undefined): Promise<DiskSource> {
    if (asked !== undefined) return (await this.image(asked)).disk
    const { name, disk } = await this.imageOf(instance)
    const isOfSnapshot = disk.kind === 'dataVolume' && 'snapshot' in disk.source
    if (isOfSnapshot)
      await this.#find(IMAGE, name, () => new ImageNotFound({ image: name, instead: INSTEAD }))
    return disk
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
      throw isNotThere(error, name) ? missing() : error
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
