import type { Metrics } from './metrics.ts'
import { VERSION } from './service.ts'

/** The metrics of a service that can be asked for them. Their library takes memory that others need not pay. */
export async function openMetrics(conf: { readonly healthPort: number }): Promise<Metrics | undefined> {
  if (conf.healthPort === 0) return undefined
  const { Metrics } = await import('./metrics.ts')
  return new Metrics({ version: VERSION })
}
