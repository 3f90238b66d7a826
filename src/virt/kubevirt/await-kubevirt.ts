import type { Clock } from '../../common/clock.ts'
import { messageOf } from '../../common/errors/message-of.ts'
import type { Logger } from '../../common/log.ts'
import { isNotFound } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import { VIRTUAL_MACHINE, VIRTUAL_MACHINE_INSTANCE } from './resources.ts'

const RETRY_MS = 2_000

const MISSING =
  'KubeVirt is not installed: no resource virtualmachines.kubevirt.io; waiting for it. Install KubeVirt, see https://kubevirt.io'

/** Resolves when KubeVirt's kinds are served; says once what it waits for. */
export async function awaitKubeVirt(
  deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger },
  signal?: AbortSignal,
): Promise<void> {
  const { client, clock, log } = deps
  let said: string | undefined
  const say = (message: string, facts?: { readonly error: string }): void => {
    if (said !== message) log.warn(message, facts)
    said = message
  }
  for (;;) {
    try {
      await client.list(VIRTUAL_MACHINE, { limit: 1, signal })
      await client.list(VIRTUAL_MACHINE_INSTANCE, { limit: 1, signal })
      if (said !== undefined) log.info('KubeVirt can be used now')
      return
    } catch (error) {
      signal?.throwIfAborted()
      if (isNotFound(error)) say(MISSING)
      else say('KubeVirt cannot be used yet; waiting for it', { error: messageOf(error) })
    }
    await clock.sleep(RETRY_MS, signal)
  }
}
