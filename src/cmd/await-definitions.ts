import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import { isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import type { KubeObject, ResourceType } from '../kube/resource.ts'

type Lister = Pick<KubeClient, 'list'>

const RETRY_MS = 1_000

/** Resolves when the API server answers and serves these kinds; says in one line what it waits for. */
export async function awaitDefinitions(
  deps: { readonly client: Lister; readonly clock: Pick<Clock, 'sleep'>; readonly log: Logger },
  types: readonly ResourceType<KubeObject>[],
  signal: AbortSignal,
): Promise<void> {
  const log = deps.log.named('nova.kube')
  let said: 'away' | 'absent' | undefined
  const say = (state: typeof said, message: string, facts?: { readonly error: string }): void => {
    if (said !== state) log.warn(message, facts)
    said = state
  }
  for (;;) {
    const missing = await firstMissing(deps.client, types, signal)
    if (missing === undefined) {
      if (said !== undefined) log.info('The Kubernetes API can be used now')
      return
    }
    if ('type' in missing) say('absent', notInstalled(missing.type))
    else say('away', 'The Kubernetes API cannot be used yet; waiting for it', missing)
    await deps.clock.sleep(RETRY_MS, signal)
  }
}

async function firstMissing(
  client: Lister,
  types: readonly ResourceType<KubeObject>[],
  signal: AbortSignal,
): Promise<{ readonly type: ResourceType<KubeObject> } | { readonly error: string } | undefined> {
  for (const type of types) {
    try {
      await client.list(type, { limit: 1, signal })
    } catch (error) {
      signal.throwIfAborted()
      return isNotFound(error) ? { type } : { error: messageOf(error) }
    }
  }
  return undefined
}

function notInstalled({ plural, group }: ResourceType<KubeObject>): string {
  const missing = `Kilonova's definitions are not installed: no resource ${plural}.${group}; waiting for it`
  return `${missing}. Install the chart, or: kubectl apply --server-side -f crds/`
}
