import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import { HealthServer, type RoundTrip } from './health.ts'
import type { Service } from './service.ts'
import { untilSignalled } from './signals.ts'

/** Runs a service, with its health to be asked for, until SIGTERM or SIGINT, and lets it drain. */
export async function runUntilTold(
  deps: {
    readonly service: Service
    readonly transport: RoundTrip
    readonly clock: Clock
    readonly log: Logger
  },
  options: { readonly healthPort: number },
): Promise<void> {
  const { service } = deps
  const log = deps.log.named('nova.service')
  const health = options.healthPort === 0 ? undefined : new HealthServer(deps, { port: options.healthPort })
  await health?.start()
  const signalled = untilSignalled()
  const starting = service.start().then(
    () => health?.serviceStarted(),
    (error: unknown) => {
      if (!signalled.isOver()) throw error
    },
  )
  const first = await Promise.race([signalled.signal, starting.then(() => undefined)])
  const signal = first ?? (await signalled.signal)
  log.info('Stopping', { service: service.name, signal })
  try {
    await service.stop()
    await starting
  } catch (error) {
    log.error('Did not stop cleanly', { service: service.name, error: messageOf(error) })
    process.exitCode = 1
  }
  health?.stop()
}
