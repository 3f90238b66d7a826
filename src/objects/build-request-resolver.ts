import { FLAVOR } from '../apis/v1alpha1/flavor.ts'
import { IMAGE } from '../apis/v1alpha1/image.ts'
import type { Instance } from '../apis/v1alpha1/instance.ts'
import { FlavorNotFound, ImageNotFound } from '../common/errors.ts'
import { isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import type { KubeObject, ResourceType } from '../kube/resource.ts'
import { type BuildRequest, type FlavorSize, checkFlavorFitsImage, toBuildRequest } from './build-request.ts'

/** Turns an instance and the names in it into a request that can travel. */
export class BuildRequestResolver {
  readonly #client: KubeClient

  constructor(deps: { readonly client: KubeClient }) {
    this.#client = deps.client
  }

  /**
   * An instance that was bound before keeps the flavor it was bound with.
   *
   * @throws FlavorNotFound, ImageNotFound, FlavorMemoryTooSmall, FlavorDiskSmallerThanMinDisk,
   *   BuildAbortException when the instance can never be built as it is
   */
  async resolve(instance: Instance): Promise<BuildRequest> {
    const { spec, status } = instance
    const [flavor, image] = await Promise.all([
      status.flavor ?? this.#flavor(spec.flavor),
      this.#find(IMAGE, spec.image, () => new ImageNotFound({ image: spec.image })),
    ])
    checkFlavorFitsImage(flavor, image)
    return toBuildRequest(instance, flavor, image)
  }

  async #flavor(name: string): Promise<FlavorSize> {
    const flavor = await this.#find(FLAVOR, name, () => new FlavorNotFound({ flavor: name }))
    const { vcpus, memoryMb, diskGb } = flavor.spec
    return { name, vcpus, memoryMb, diskGb }
  }

  async #find<T extends KubeObject>(type: ResourceType<T>, name: string, missing: () => Error): Promise<T> {
    try {
      return await this.#client.get(type, { name })
    } catch (error) {
      throw isNotFound(error) ? missing() : error
    }
  }
}
