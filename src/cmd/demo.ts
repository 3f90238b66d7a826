import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { COMPUTE_QUOTA } from '../apis/v1alpha1/compute-quota.ts'
import { FLAVOR } from '../apis/v1alpha1/flavor.ts'
import { HOST_AGGREGATE } from '../apis/v1alpha1/host-aggregate.ts'
import { IMAGE } from '../apis/v1alpha1/image.ts'
import { INSTANCE, type Instance } from '../apis/v1alpha1/instance.ts'
import { SERVER_GROUP } from '../apis/v1alpha1/server-group.ts'
import { SystemClock } from '../common/clock.ts'
import { DEV_OPTIONS } from '../conf/dev.ts'
import { readOptions } from '../conf/options.ts'
import { createIfMissing } from '../objects/catalogue.ts'
import { DevCluster } from '../dev/cluster.ts'
import { InstanceFollower } from '../dev/instance-follower.ts'
import { printWalk, readWalk } from '../dev/request-walk.ts'
import type { KubeClient } from '../kube/client.ts'
import type { KubeObject, ObjectRef, ResourceType } from '../kube/resource.ts'
import { clusterOptions } from './dev.ts'

const EXAMPLES = new URL('../../examples/', import.meta.url)
const WEB = { namespace: 'default', name: 'web' }

const KINDS: Readonly<Record<string, ResourceType<KubeObject>>> = {
  ComputeQuota: COMPUTE_QUOTA,
  Flavor: FLAVOR,
  HostAggregate: HOST_AGGREGATE,
  Image: IMAGE,
  Instance: INSTANCE,
  ServerGroup: SERVER_GROUP,
}

const example = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
})

/** Takes an instance through its life in a cluster of its own, and shows how the services did it. */
export async function runDemo(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const conf = readOptions(DEV_OPTIONS, argv, env)
  // The walks are read from the lines as people read them.
  const options = clusterOptions({ ...conf, logFormat: 'text' })
  const cluster = new DevCluster({ clock: new SystemClock() }, options)
  const startedAt = performance.now()
  say(`Starting a cluster of ${conf.nodes} simulated nodes …`)
  try {
    await cluster.start()
    say(`It is up after ${((performance.now() - startedAt) / 1000).toFixed(1)} s.\n`)
    await tour(cluster)
  } finally {
    await cluster.stop()
  }
  say(`
Next: 'npm run dev' keeps such a cluster running for your own kubectl and says what to type.
The logs of this one are in ${conf.folder}/logs; search them for any of the request ids above.`)
}

async function tour(cluster: DevCluster): Promise<void> {
  const { client } = cluster
  const shown = new Map<string, string>()
  const follower = new InstanceFollower({ client }, (instance) => {
    const line = stateLine(instance)
    // Much of what is written of an instance is not in this line.
    if (shown.get(instance.metadata.name) !== line) say(line)
    shown.set(instance.metadata.name, line)
  })
  follower.start()

  say('kubectl apply -f examples/')
  const instances = await applyExamples(client)
  await Promise.all(instances.map((ref) => follower.until(ref, isActive)))
  const launched = await follower.until(WEB, isActive)

  await patchPower(client, 'Shutdown')
  const stopped = await follower.until(WEB, (one) => one.status.vmState === 'stopped')
  await patchPower(client, 'Running')
  await follower.until(WEB, isActive)

  say('\nkubectl delete instances --all')
  await Promise.all(instances.map((ref) => client.delete(INSTANCE, ref)))
  await Promise.all(instances.map((ref) => follower.untilGone(ref)))
  follower.stop()

  showWalk(cluster, 'The launch', launched)
  showWalk(cluster, 'The shut-off', stopped)
}

/** Gives the instances that there are then. */
async function applyExamples(client: KubeClient): Promise<readonly ObjectRef[]> {
  const objects = readdirSync(fileURLToPath(EXAMPLES))
    .filter((name) => name.endsWith('.yaml'))
    .flatMap((name) => parseAllDocuments(readFileSync(new URL(name, EXAMPLES), 'utf8')))
    .map((document) => example.parse(document.toJS()))
  for (const object of objects) {
    const type = KINDS[object.kind]
    if (!type) throw new Error(`examples/ has a ${object.kind}, which the demo does not know`)
    const namespace = type.namespaced ? { namespace: 'default' } : {}
    await createIfMissing(client, type, { ...object, metadata: { ...namespace, ...object.metadata } })
  }
  return objects
    .filter(({ kind }) => kind === INSTANCE.kind)
    .map(({ metadata }) => ({ ...WEB, name: metadata.name }))
}

function isActive({ status }: Instance): boolean {
  return status.vmState === 'active' && !status.taskState
}

async function patchPower(client: KubeClient, powerState: 'Running' | 'Shutdown'): Promise<void> {
  say(`\nkubectl patch instance web --type merge -p '{"spec":{"powerState":"${powerState}"}}'`)
  await client.mergePatch(INSTANCE, WEB, { spec: { powerState } })
}

function showWalk(cluster: DevCluster, what: string, { status }: Instance): void {
  const requestId = status.requestId ?? ''
  say(`\n${what} as its services logged it: grep -h ${requestId} .kilonova/logs/*.log | sort`)
  say(printWalk(readWalk(cluster.services.logFiles, requestId)))
}

/** A line as `kubectl get instances -w` would print it. */
function stateLine({ metadata, status }: Instance): string {
  const columns = [
    metadata.name.padEnd(12),
    (status.status ?? '').padEnd(8),
    (status.taskState ?? '-').padEnd(13),
    (status.powerState ?? '').padEnd(9),
    (status.host ?? '-').padEnd(7),
    status.addresses?.[0]?.address ?? '-',
  ]
  return `  ${columns.join(' ')}`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
