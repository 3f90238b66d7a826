import { readFileSync } from 'node:fs'
import { SystemClock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { NovaError } from '../common/errors/nova-error.ts'
import { newRequestId, RandomIds } from '../common/ids.ts'
import { loggerTo } from '../common/log.ts'
import { inClusterAddress, kubeconfigOfUser, messagingFiles } from '../conf/common.ts'
import { readOptions, UsageError } from '../conf/options.ts'
import { EXPLAIN_OPTIONS, SCHEDULE_OPTIONS } from '../conf/placement.ts'
import { HttpKubeClient } from '../kube/http-client.ts'
import { loadKubeConfig } from '../kube/kube-config.ts'
import { BuildRequestResolver } from '../objects/build-request-resolver.ts'
import { RpcClient } from '../rpc/client.ts'
import { openTransport } from '../rpc/open-transport.ts'
import { describeDestinations, dryRun, readManifest, UnfitManifest } from '../scheduler/dry-run.ts'
import { describeExplanations, explain } from '../scheduler/explain.ts'
import { SchedulerRpcApi } from '../scheduler/rpcapi.ts'

type Env = Readonly<Record<string, string | undefined>>

/** `kilonova schedule --dry-run`: speaks to the scheduler as nova-api does. Exit code 1 where no host is valid. */
export async function runSchedule(argv: readonly string[], env: Env): Promise<void> {
  const conf = readOptions(SCHEDULE_OPTIONS, argv, env)
  if (!conf.dryRun) throw new UsageError('give --dry-run; to make an instance, apply its manifest')
  const files = messagingFiles(conf)
  const clock = new SystemClock()
  const log = loggerTo(() => undefined, { format: 'text', level: 'error' })
  const client = kubeClient(conf.kubeconfig, env, clock)
  const transport = openTransport(conf.messaging, { clock, log }, { sender: { service: 'api' }, files })
  const ids = new RandomIds()
  const rpc = new RpcClient({ transport, clock, ids }, { callTimeoutMs: conf.callTimeout })
  try {
    const instance = readManifest(readFileSync(conf.file === '-' ? 0 : conf.file, 'utf8'), conf.namespace)
    const ctx = { requestId: newRequestId(ids), user: '-', project: instance.metadata.namespace ?? '-' }
    const answer = await dryRun(
      { resolver: new BuildRequestResolver({ client }), scheduler: new SchedulerRpcApi({ rpc }) },
      ctx,
      instance,
    )
    process.stdout.write(
      conf.output === 'json' ? `${JSON.stringify(answer)}\n` : describeDestinations(answer),
    )
    if (answer.placement.host === '') process.exitCode = 1
  } catch (error) {
    fail('schedule', error)
  } finally {
    await transport.close()
    await client.close()
  }
}

/** `kilonova explain instance NAME`: tells the decisions on an instance from the records of its operations. */
export async function runExplain(argv: readonly string[], env: Env): Promise<void> {
  const [kind, name, ...options] = argv
  const isNamed = kind === 'instance' && name !== undefined && !name.startsWith('-')
  const conf = readOptions(EXPLAIN_OPTIONS, isNamed ? ['--instance', name, ...options] : argv, env)
  const { instance } = conf
  if (instance === undefined) throw new UsageError('say which: kilonova explain instance NAME')
  const client = kubeClient(conf.kubeconfig, env, new SystemClock())
  try {
    const explanations = await explain(client, { namespace: conf.namespace, name: instance })
    const text =
      conf.output === 'json'
        ? `${JSON.stringify(explanations)}\n`
        : describeExplanations(instance, explanations)
    process.stdout.write(text)
  } catch (error) {
    fail('explain', error)
  } finally {
    await client.close()
  }
}

function kubeClient(named: string | undefined, env: Env, clock: SystemClock): HttpKubeClient {
  const path = kubeconfigOfUser(named, env)
  const inCluster = path === undefined ? inClusterAddress(env) : undefined
  const kubeConfig = loadKubeConfig({ path, inCluster })
  return HttpKubeClient.fromKubeConfig(kubeConfig, { clock, userAgent: 'kilonova/placement' })
}

/** What the user can do something about is said in a sentence; the rest is a bug, or Kubernetes' to say. */
function fail(command: string, error: unknown): void {
  if (!(error instanceof NovaError) && !(error instanceof UnfitManifest)) throw error
  process.stderr.write(`kilonova ${command}: ${messageOf(error)}\n`)
  process.exitCode = 1
}
