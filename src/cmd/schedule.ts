import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { SystemClock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { newRequestId, RandomIds } from '../common/ids.ts'
import { loggerTo } from '../common/log.ts'
import { kubeconfigOfUser, messagingFiles } from '../conf/common.ts'
import { readOptions, UsageError } from '../conf/options.ts'
import { EXPLAIN_OPTIONS, SCHEDULE_OPTIONS } from '../conf/placement.ts'
import { HttpKubeClient } from '../kube/http-client.ts'
import { BuildRequestResolver } from '../objects/build-request-resolver.ts'
import { RpcClient } from '../rpc/client.ts'
import { openTransport } from '../rpc/open-transport.ts'
import { describeDestinations, dryRun } from '../scheduler/dry-run.ts'
import { describeExplanations, explain } from '../scheduler/explain.ts'
import { readManifest } from '../scheduler/manifest.ts'
import { SchedulerRpcApi } from '../scheduler/rpcapi.ts'
import { endProcess } from './end-process.ts'
import { openKubeConfig } from './open-kube-config.ts'
import { ANSWERED_NO, endOf } from './schedule-end.ts'

type Env = Readonly<Record<string, string | undefined>>

/** `kilonova schedule --dry-run`: speaks to the scheduler as nova-api does. */
export async function runSchedule(argv: readonly string[], env: Env): Promise<void> {
  const conf = readOptions(SCHEDULE_OPTIONS, argv, env)
  if (!conf.dryRun) throw new UsageError('give --dry-run; to make an instance, apply its manifest')
  const { file, namespace } = conf
  if (file === undefined) throw new UsageError('say which: -f FILE, or -f - for standard input')
  const files = messagingFiles(conf)
  const clock = new SystemClock()
  const log = loggerTo(() => undefined, { format: 'text', level: 'error' })
  const ids = new RandomIds()
  await ending('schedule', async () => {
    const manifest = await read(file)
    const kube = openKube(conf, env, clock)
    const transport = openTransport(conf.messaging, { clock, log }, { sender: { service: 'api' }, files })
    const rpc = new RpcClient({ transport, clock, ids }, { callTimeoutMs: conf.callTimeout })
    try {
      const instance = readManifest(manifest, namespace ?? kube.namespace)
      const { namespace: own = '' } = instance.metadata
      if (namespace !== undefined && own !== namespace) {
        throw new UsageError(`the manifest is of namespace ${own}, and --namespace says ${namespace}`)
      }
      const answer = await dryRun(
        {
          resolver: new BuildRequestResolver({ client: kube.client }),
          scheduler: new SchedulerRpcApi({ rpc }),
        },
        { requestId: newRequestId(ids), user: '-', project: own },
        instance,
      )
      const told = conf.output === 'json' ? `${JSON.stringify(answer)}\n` : describeDestinations(answer)
      process.stdout.write(told)
      if (answer.placement.host === '') process.exitCode = ANSWERED_NO
    } finally {
      await transport.close()
      await kube.client.close()
    }
  })
}

/** `kilonova explain instance NAME`: tells the decisions on an instance from the records of its operations. */
export async function runExplain(argv: readonly string[], env: Env): Promise<void> {
  const [kind, name, ...options] = argv
  const isNamed = kind === 'instance' && name !== undefined && !name.startsWith('-')
  const which = 'say which: kilonova explain instance NAME'
  if (!isNamed && kind !== undefined && !kind.startsWith('-')) throw new UsageError(which)
  const conf = readOptions(EXPLAIN_OPTIONS, isNamed ? ['--instance', name, ...options] : argv, env)
  const { instance } = conf
  if (instance === undefined) throw new UsageError(which)
  await ending('explain', async () => {
    const { client, namespace } = openKube(conf, env, new SystemClock())
    try {
      const ref = { namespace: conf.namespace ?? namespace, name: instance }
      const explanations = await explain(client, ref)
      const told =
        conf.output === 'json'
          ? `${JSON.stringify(explanations)}\n`
          : describeExplanations(instance, explanations)
      process.stdout.write(told)
    } finally {
      await client.close()
    }
  })
}

/** @throws UsageError when it cannot be read */
async function read(file: string): Promise<string> {
  if (file === '-') return text(process.stdin)
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${messageOf(error)}`, { cause: error })
  }
}

function openKube(
  conf: { readonly kubeconfig: string | undefined; readonly callTimeout: number },
  env: Env,
  clock: SystemClock,
): { readonly client: HttpKubeClient; readonly namespace: string } {
  const path = kubeconfigOfUser(conf.kubeconfig, env)
  const kubeConfig = openKubeConfig(path, env)
  const client = HttpKubeClient.fromKubeConfig(kubeConfig, {
    clock,
    userAgent: 'kilonova/placement',
    requestTimeoutMs: conf.callTimeout,
  })
  return { client, namespace: kubeConfig.namespace ?? 'default' }
}

/** What the user can do something about is said in a sentence; the rest is a bug, and wants its stack. */
async function ending(command: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const end = endOf(error)
    if (!end) throw error
    process.stderr.write(`kilonova ${command}: ${end.message}\n`)
    process.exitCode = end.exitCode
  }
  await endProcess()
}
