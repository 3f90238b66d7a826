import type { Clock } from '../../common/clock.ts'
import { isRetryable } from '../../kube/api-error.ts'

/** No write passes while virt-api's webhooks are away, during an upgrade of it for instance: worth a wait. */
const RETRY_DELAYS_MS = [500, 1_000, 2_000, 4_000, 8_000, 8_000] as const

/** Sends again for a while what failed in a way that may pass by itself. */
export async function retrying<T>(
  clock: Clock,
  send: () => Promise<T>,
  isWorthARetry: (error: unknown) => boolean = isRetryable,
): Promise<T> {
  for (const delayMs of RETRY_DELAYS_MS) {
    try {
      return await send()
    } catch (error) {
      if (!isWorthARetry(error)) throw error
    }
    await clock.sleep(delayMs)
  }
  return send()
}
