import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { Logger } from '../common/log.ts'
import { HealthServer, type RoundTrip } from './health.ts'
import type { Metrics } from './metrics.ts'
import type { Service } from './service.ts'
import { untilAborted, untilSignalled } from './signals.ts'

/**
 * How long a service may take to leave, all in all; Kubernetes ends it by force after its terminationGracePeriodSeconds,
 * which must be longer. Handlers get DRAIN_TIMEOUT_MS of it; the rest is for giving a lease back.
 */
const STOP_TIMEOUT_MS = 25_000
const LEAVE_TIMEOUT_MS = 2_000

/** Runs a service, with its health to be asked for, until SIGTERM or SIGINT, and lets it drain. */
export async function runUntilTold(
  deps: {
    readonly service: Service
    readonly transport: RoundTrip
    readonly clock: Clock
    readonly log: Logger
    readonly metrics?: Metrics | undefined
  },
  options: { readonly healthPort: number; readonly stopTimeoutMs?: number },
): Promise<void> {
  const { service, clock } = deps
  const log = deps.log.named('nova.service')
  const health = options.healthPort === 0 ? undefined : new HealthServer(deps, { port: options.healthPort })
  const signalled = untilSignalled()
  await health?.start()
  const starting = service.start().then(
    () => health?.serviceStarted(),
    (error: unknown) => {
      if (!signalled.isOver()) throw error
    },
  )
  const first = await Promise.race([signalled.signal, starting.then(() => undefined)])
  const signal = first ?? (await signalled.signal)
  log.info('Stopping', { service: service.name, signal })
  health?.serviceStopping()
  const late = new AbortController()
  const stopTimeoutMs = options.stopTimeoutMs ?? STOP_TIMEOUT_MS
  const timer = clock.after(stopTimeoutMs, () => late.abort())
  try {
    await Promise.race([service.stop().then(() => starting), untilAborted(late.signal)])
    if (late.signal.aborted) throw new Error(`it took longer than ${stopTimeoutMs / 1000} s`)
  } catch (error) {
    log.error('Did not stop cleanly', { service: service.name, error: messageOf(error) })
    process.exitCode = 1
  }
  timer.cancel()
  health?.stop()
  // What still runs must not keep the process, once the caller has closed what it has opened.
  if (late.signal.aborted) clock.after(LEAVE_TIMEOUT_MS, () => process.exit())
}
