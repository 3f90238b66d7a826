import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { Logger } from '../common/log.ts'
import { isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import type { KubeObject, ResourceType } from '../kube/resource.ts'
import { serverVersion, tooOld } from '../kube/server-version.ts'

type Looker = Pick<KubeClient, 'list' | 'getRaw'>

const RETRY_MS = 1_000

/** Resolves when the API server answers, is new enough and serves these kinds; says in one line what it waits for. */
export async function awaitDefinitions(
  deps: { readonly client: Looker; readonly clock: Pick<Clock, 'sleep'>; readonly log: Logger },
  types: readonly ResourceType<KubeObject>[],
  signal: AbortSignal,
): Promise<void> {
  const log = deps.log.named('nova.kube')
  let said: 'away' | 'old' | 'absent' | undefined
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
    else if ('old' in missing) say('old', `${missing.old}; waiting for an upgrade of the cluster`)
    else say('away', 'The Kubernetes API cannot be used yet; waiting for it', missing)
    await deps.clock.sleep(RETRY_MS, signal)
  }
}

type Missing =
  | { readonly type: ResourceType<KubeObject> }
  | { readonly old: string }
  | { readonly error: string }

async function firstMissing(
  client: Looker,
  types: readonly ResourceType<KubeObject>[],
  signal: AbortSignal,
): Promise<Missing | undefined> {
  try {
    const old = tooOld(await serverVersion(client, signal))
    if (old !== undefined) return { old: `Kubernetes ${old}` }
  } catch (error) {
    signal.throwIfAborted()
    return { error: messageOf(error) }
  }
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
