import { SystemClock } from '../common/clock.ts'
import { RandomIds } from '../common/ids.ts'
import { openLog } from '../common/log.ts'
import { API_OPTIONS } from '../conf/api.ts'
import { logOptions, messagingFiles, type QUEUE_SETTINGS, type SERVICE_OPTIONS } from '../conf/common.ts'
import { COMPUTE_OPTIONS } from '../conf/compute.ts'
import { CONDUCTOR_OPTIONS } from '../conf/conductor.ts'
import { readOptions, type Values } from '../conf/options.ts'
import { SCHEDULER_OPTIONS } from '../conf/scheduler.ts'
import { HttpKubeClient } from '../kube/http-client.ts'
import { openTransport } from '../rpc/open-transport.ts'
import { describeSender, type Sender } from '../rpc/sender.ts'
import { buildApi } from './api.ts'
import { buildCompute } from './compute.ts'
import { buildConductor } from './conductor.ts'
import { openDriver } from './driver.ts'
import { openKubeConfig } from './open-kube-config.ts'
import { openMetrics } from './open-metrics.ts'
import { runUntilTold } from './run-until-told.ts'
import { buildScheduler } from './scheduler.ts'
import type { Service, ServiceDeps } from './service.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Runs nova-api until the process is told to stop. */
export async function runApi(argv: readonly string[], env: Env): Promise<void> {
  const conf = readOptions(API_OPTIONS, argv, env)
  await runService(conf, env, { service: 'api' }, (deps) => buildApi(deps, conf))
}

/** Runs nova-scheduler until the process is told to stop. */
export async function runScheduler(argv: readonly string[], env: Env): Promise<void> {
  const conf = readOptions(SCHEDULER_OPTIONS, argv, env)
  await runService(conf, env, { service: 'scheduler' }, (deps) => buildScheduler(deps, conf))
}

/** Runs nova-conductor until the process is told to stop. */
export async function runConductor(argv: readonly string[], env: Env): Promise<void> {
  const conf = readOptions(CONDUCTOR_OPTIONS, argv, env)
  await runService(conf, env, { service: 'conductor' }, (deps) => buildConductor(deps, conf))
}

/** Runs nova-compute until the process is told to stop. */
export async function runCompute(argv: readonly string[], env: Env): Promise<void> {
  const conf = readOptions(COMPUTE_OPTIONS, argv, env)
  await runService(conf, env, { service: 'compute', host: conf.host }, (deps) => {
    return buildCompute({ ...deps, driver: openDriver(deps, conf) }, conf)
  })
}

/** Builds a service, runs it until SIGTERM or SIGINT, and lets it drain. */
// oxlint-disable-next-line max-params -- read once, here
async function runService(
  conf: Values<typeof SERVICE_OPTIONS> & Partial<Values<typeof QUEUE_SETTINGS>>,
  env: Env,
  sender: Sender,
  build: (deps: ServiceDeps) => Service,
): Promise<void> {
  const files = messagingFiles(conf)
  const clock = new SystemClock()
  const sink = openLog(logOptions(conf))
  const log = sink.logger
  const kubeConfig = openKubeConfig(conf.kubeconfig, env)
  const client = HttpKubeClient.fromKubeConfig(kubeConfig, {
    clock,
    userAgent: `kilonova/nova-${describeSender(sender)}`,
  })
  const transport = openTransport(
    conf.messaging,
    { clock, log },
    {
      sender,
      files,
      replicas: conf.messagingReplicas,
      ...(conf.ackWait !== undefined && { ackWaitMs: conf.ackWait }),
    },
  )
  const metrics = await openMetrics(conf)
  const service = build({ client, transport, clock, ids: new RandomIds(), log, meter: metrics })
  await runUntilTold({ service, transport, clock, log, metrics }, conf)
  await transport.close()
  await client.close()
  await sink.close()
}
