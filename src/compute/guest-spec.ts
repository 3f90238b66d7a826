import type { BuildRequest } from '../objects/build-request.ts'
import type { GuestSpec } from '../virt/driver.ts'

/** What a driver needs of a request to make a guest. */
export function toGuestSpec(request: BuildRequest): GuestSpec {
  const { instance, flavor, image, hostname, userData, userDataSecret } = request
  return {
    ...instance,
    hostname,
    vcpus: flavor.vcpus,
    memoryMb: flavor.memoryMb,
    diskGb: flavor.diskGb,
    disk: image.disk,
    properties: image.properties,
    userData,
    userDataSecret,
  }
}
