import { relative } from 'node:path'
import { SystemClock } from '../common/clock.ts'
import { DEV_OPTIONS, type DevSettings } from '../conf/dev.ts'
import { readOptions } from '../conf/options.ts'
import { type ClusterOptions, DevCluster } from '../dev/cluster.ts'
import { untilSignalled } from './signals.ts'

/** How long a start may take until it is said what may be missing. */
const PATIENCE_MS = 5_000

/** Runs a dev cluster until Ctrl-C, and says what to type. */
export async function runDev(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const conf = readOptions(DEV_OPTIONS, argv, env)
  const signalled = untilSignalled()
  const startedAt = performance.now()
  const clock = new SystemClock()
  const cluster = new DevCluster({ clock }, clusterOptions(conf))
  const starting = cluster.start()
  const patience = clock.after(PATIENCE_MS, () => process.stdout.write(waiting(cluster, conf)))
  try {
    const stoppedEarly = await Promise.race([signalled.signal, starting.then(() => undefined)])
    patience.cancel()
    if (stoppedEarly === undefined) {
      process.stdout.write(welcome(cluster, conf, (performance.now() - startedAt) / 1000))
      await signalled.signal
    }
    process.stdout.write('\nStopping.\n')
  } finally {
    patience.cancel()
    await cluster.stop()
    await starting.catch(() => undefined)
  }
}

export function clusterOptions(conf: DevSettings): ClusterOptions {
  return {
    nodes: conf.nodes,
    messaging: conf.messaging,
    kubeconfig: conf.kubeconfig,
    folder: conf.folder,
    port: conf.port,
    bootTimeMs: conf.bootTime,
    log: { format: conf.logFormat, level: conf.logLevel, levels: conf.logLevels },
  }
}

function waiting(cluster: DevCluster, conf: DevSettings): string {
  const { kubeconfig, messaging } = conf
  return `Not up yet. Messaging goes over ${messaging}, resources over ${kubeconfig ?? 'the embedded API server'}: what is waited for is in ${logsOf(cluster)}.\n`
}

function logsOf(cluster: DevCluster): string {
  const below = relative(process.cwd(), cluster.logFolder)
  return below.startsWith('..') ? cluster.logFolder : below
}

function welcome(cluster: DevCluster, conf: DevSettings, seconds: number): string {
  const inside = relative(process.cwd(), cluster.kubeconfigPath)
  const kubeconfig = inside.startsWith('..') ? cluster.kubeconfigPath : `$PWD/${inside}`
  return `Kilonova is up after ${seconds.toFixed(1)} s: ${conf.nodes} nodes, ${conf.kubeconfig ? 'your API server' : 'the embedded API server'}, messaging over ${conf.messaging}.

In another terminal:

  export KUBECONFIG=${kubeconfig}
  kubectl apply -f examples/instance.yaml
  kubectl get instances -w
  kubectl patch instance web --type merge -p '{"spec":{"powerState":"Shutdown"}}'
  kubectl describe instance web
  kubectl get instanceactions
  kubectl delete instance web

Each service writes a log of its own. What became of a request, through all of them:

  grep -h "$(kubectl get instance web -o jsonpath='{.status.requestId}')" ${logsOf(cluster)}/*.log | sort

Ctrl-C stops it.
`
}
