import type { ImageProperties } from '../../objects/build-request.ts'
import type { HostState } from '../host-state.ts'
import type { RequestSpec } from '../request-spec.ts'
import { type HostFilter, PASS, type Verdict, reject } from './filter.ts'

type Architecture = NonNullable<ImageProperties['hw_architecture']>

/**
 * Takes out hosts that cannot run the image: architecture, hypervisor type. The one VM mode an image may ask
 * for, hvm, is offered by every host.
 */
export class ImagePropertiesFilter implements HostFilter {
  readonly name = 'ImagePropertiesFilter'
  readonly #architecture: Architecture | undefined

  /** @param options.imagePropertiesDefaultArchitecture of images that name none; Nova: image_properties_default_architecture */
  constructor(options: { readonly imagePropertiesDefaultArchitecture?: Architecture | undefined } = {}) {
    this.#architecture = options.imagePropertiesDefaultArchitecture
  }

  check(host: HostState, request: RequestSpec): Verdict {
    const { hw_architecture = this.#architecture, img_hv_type } = request.image.properties
    if (hw_architecture && host.architecture && hw_architecture !== host.architecture) {
      return reject(`of architecture ${host.architecture}, the image needs ${hw_architecture}`)
    }
    if (img_hv_type && host.hypervisorType && img_hv_type !== host.hypervisorType) {
      return reject(`with hypervisor ${host.hypervisorType}, the image needs ${img_hv_type}`)
    }
    return PASS
  }
}
