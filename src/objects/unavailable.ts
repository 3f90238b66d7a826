import { KubernetesUnavailable } from '../common/errors/unavailable.ts'
import { isRetryable } from '../kube/api-error.ts'

/**
 * Runs work that uses the Kubernetes API, and says of what may pass by itself that it may: then a message is
 * delivered again, and a caller far away knows to wait.
 * @throws KubernetesUnavailable
 */
export async function whileAvailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isRetryable(error)) throw new KubernetesUnavailable({ reason: error.message }, { cause: error })
    throw error
  }
}
