import type { Timer } from '../common/clock.ts'
import { serviceContext } from '../common/context.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { ServiceStopping } from '../common/errors/unavailable.ts'
import { newRequestId } from '../common/ids.ts'
import { ComputeManager } from '../compute/manager.ts'
import { ResourceReporter } from '../compute/resource-reporter.ts'
import { ResourceTracker } from '../compute/resource-tracker.ts'
import { COMPUTE_RPC_VERSION, COMPUTE_TOPIC } from '../compute/rpcapi.ts'
import { serveCompute } from '../compute/service.ts'
import { StoppableDriver } from '../compute/stoppable-driver.ts'
import { ConductorApi } from '../conductor/api.ts'
import { ConductorRpcApi } from '../conductor/rpcapi.ts'
import type { ComputeSettings } from '../conf/compute.ts'
import { RpcClient } from '../rpc/client.ts'
import { RpcServer } from '../rpc/server.ts'
import { SchedulerRpcApi } from '../scheduler/rpcapi.ts'
import type { ComputeDriver } from '../virt/driver.ts'
import { DRAIN_TIMEOUT_MS, MAX_DELIVERIES, type Service, type ServiceDeps, VERSION } from './service.ts'

const CONDUCTOR_RETRY = { retryDelayMs: 200, maxRetryDelayMs: 10_000 }

/** nova-compute: the agent of one host. It uses the Kubernetes API for its hypervisor alone. */
export function buildCompute(
  deps: Omit<ServiceDeps, 'client'> & { readonly driver: ComputeDriver },
  settings: ComputeSettings,
): Service {
  const { clock, ids, log, transport } = deps
  const { host } = settings
  const stopping = new AbortController()
  const driver = new StoppableDriver(deps.driver, stopping.signal)
  // A conductor that died in the middle of a call never answers; its calls are short, and safe to repeat.
  const rpc = new RpcClient(
    { ...deps, log: log.named('nova.rpc.client') },
    { callTimeoutMs: settings.rpcResponseTimeout },
  )
  const ownContext = (): ReturnType<typeof serviceContext> => serviceContext(newRequestId(ids))
  const conductorRpc = new ConductorRpcApi({ rpc })
  const conductor = new ConductorApi(
    { rpc: conductorRpc, clock, log, signal: stopping.signal },
    CONDUCTOR_RETRY,
  )
  const scheduler = new SchedulerRpcApi({ rpc })
  const tracker = new ResourceTracker({ host })
  const manager = new ComputeManager(
    { driver, conductor, scheduler, tracker, clock, ids, log },
    {
      host,
      shutdownTimeoutMs: settings.shutdownTimeout,
      maxConcurrentBuilds: settings.maxConcurrentBuilds,
    },
  )
  const reporter = new ResourceReporter(
    { driver, tracker, conductor, scheduler, clock, ids, log },
    {
      host,
      version: VERSION,
      reportIntervalMs: settings.reportInterval,
      updateResourcesIntervalMs: settings.updateResourcesInterval,
    },
  )
  const server = new RpcServer(deps, {
    target: { topic: COMPUTE_TOPIC, host },
    version: COMPUTE_RPC_VERSION,
    fanouts: false,
    // Not by the patient one: whoever asks does so until it is answered, and no longer.
    declareQueue: () => conductorRpc.computeQueueDeclare(ownContext()),
    maxConcurrent: settings.computeConcurrency,
    maxDeliveries: MAX_DELIVERIES,
    drainTimeoutMs: DRAIN_TIMEOUT_MS,
  })
  serveCompute(server, { manager, reporter })

  const quietly = (what: string, work: Promise<void>): void => {
    void work.catch((error: unknown) => {
      if (stopping.signal.aborted) return
      log.named('nova.compute.manager').warn(`Could not ${what}`, { host, reason: messageOf(error) })
    })
  }
  let syncTimer: Timer | undefined
  let unsubscribe: (() => void) | undefined
  let isUp = false
  return {
    name: `nova-compute-${host}`,
    checks: [
      { name: 'messaging', isReady: () => transport.status === 'connected' },
      { name: 'hypervisor', isReady: () => isUp && driver.isReady() },
    ],
    start: async () => {
      const { signal } = stopping
      await transport.connect(signal)
      await driver.start(signal)
      await manager.initHost(ownContext())
      // Whoever was asked may have answered when we were stopped already: stop() does not know of what is set up then.
      signal.throwIfAborted()
      unsubscribe = driver.onLifecycleEvent((event) => {
        quietly('follow a change of power state', manager.handleLifecycleEvent(event))
      })
      await server.start()
      await reporter.start(signal)
      isUp = true
      quietly('compare power states', manager.syncPowerStates(ownContext()))
      syncTimer = clock.every(settings.syncPowerStateInterval, () => {
        quietly('compare power states', manager.syncPowerStates(ownContext()))
      })
      log.named('nova.service').info('Started nova-compute', { host })
    },
    stop: async () => {
      isUp = false
      reporter.stop()
      syncTimer?.cancel()
      unsubscribe?.()
      // What waits, for a guest or for the conductor, is let go first: its message is handed back and not waited for.
      stopping.abort(new ServiceStopping({ service: `nova-compute on ${host}` }))
      await server.stop()
      await driver.stop()
    },
  }
}
