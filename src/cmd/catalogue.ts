import { type Clock, SystemClock } from '../common/clock.ts'
import { type Logger, openLog } from '../common/log.ts'
import { CATALOGUE_OPTIONS } from '../conf/catalogue.ts'
import { logOptions } from '../conf/common.ts'
import { readOptions } from '../conf/options.ts'
import { isNotFound, isRetryable } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import { HttpKubeClient } from '../kube/http-client.ts'
import { seedCatalogue } from '../objects/catalogue.ts'
import { openKubeConfig } from './open-kube-config.ts'

const RETRY_MS = 1000

/** Runs `kilonova catalogue`, which the chart does once at an install. */
export async function runCatalogue(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const conf = readOptions(CATALOGUE_OPTIONS, argv, env)
  const clock = new SystemClock()
  const sink = openLog(logOptions(conf))
  const kubeConfig = openKubeConfig(conf.kubeconfig, env)
  const client = HttpKubeClient.fromKubeConfig(kubeConfig, { clock, userAgent: 'kilonova/catalogue' })
  try {
    await makeCatalogue({ client, clock, log: sink.logger })
  } finally {
    await client.close()
    await sink.close()
  }
}

/** Makes what is missing of the catalogue; waits for an API server that does not serve flavors yet. */
export async function makeCatalogue(deps: {
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
}): Promise<void> {
  const log = deps.log.named('nova.catalogue')
  let isWaiting = false
  for (;;) {
    try {
      log.info('The catalogue is there', { made: await seedCatalogue(deps.client) })
      return
    } catch (error) {
      if (!isNotFound(error) && !isRetryable(error)) throw error
      if (!isWaiting)
        log.warn('Waiting for the API server to serve Flavor and Image', { reason: error.message })
      isWaiting = true
    }
    await deps.clock.sleep(RETRY_MS)
  }
}
