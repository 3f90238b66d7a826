import { KubernetesUnavailable } from '../../common/errors/unavailable.ts'
import { ApiError } from '../../kube/api-error.ts'

/** To be used as `catch`: what Kubernetes said, as an error of ours. */
export function toUnavailable(error: unknown): never {
  throw error instanceof ApiError
    ? new KubernetesUnavailable({ reason: error.message }, { cause: error })
    : error
}
