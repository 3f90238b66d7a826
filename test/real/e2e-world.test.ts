import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { type Commands, MachineCommands } from '../../hack/e2e/commands.ts'
import { gather } from '../../hack/e2e/gather.ts'
import { E2E } from '../../hack/e2e/settings.ts'
import { FakeCommands } from '../../hack/e2e/testing.ts'
import { FLAVOR } from '../../src/apis/v1alpha1/flavor.ts'
import { INSTANCE, type Instance } from '../../src/apis/v1alpha1/instance.ts'
import { SystemClock, toTimestamp } from '../../src/common/clock.ts'
import { installCrds, kilonovaCrds } from '../../src/dev/crds.ts'
import { createNode } from '../../src/dev/nodes.ts'
import { HttpKubeClient } from '../../src/kube/http-client.ts'
import { loadKubeConfig } from '../../src/kube/kube-config.ts'
import { cleanUp } from '../e2e/clean-up.ts'
import { messagesIn, STREAMS_PATH } from '../e2e/cluster-broker.ts'
import { Kubectl } from '../e2e/kubectl.ts'
import { PodLogs } from '../e2e/pod-logs.ts'
import { type Pod, podsOnNode } from '../e2e/pods.ts'
import { ClusterServices } from '../e2e/services.ts'
import { COMPONENTS, type Component, objectOf, REPLICAS, selectorOf, Workloads } from '../e2e/workloads.ts'
import { eventually } from '../scenarios/eventually.ts'
import { makeNamespace } from '../scenarios/namespaces.ts'
import { PaperCluster } from './paper-cluster.ts'
import { type ControlPlane, startControlPlane } from './parts/control-plane.ts'
import { makeFolder, removeFolder } from './parts/folder.ts'
import { startNats } from './parts/nats.ts'
import { freePort } from './parts/ports.ts'
import { program } from './parts/programs.ts'
import { setupNeeded } from './setup-needed.ts'

const NODES = ['node-1', 'node-2', 'node-3']
const clock = new SystemClock()

/** What `npm run e2e` does in a cluster, as far as it needs no container. */
describe.skipIf(setupNeeded('helm', 'kubectl') !== undefined)('the e2e world, on an API server', () => {
  let plane: ControlPlane
  let client: HttpKubeClient
  let paper: PaperCluster
  let kubectl: Kubectl
  let workloads: Workloads
  let folder: string
  const docker = new FakeCommands()

  beforeAll(async () => {
    folder = makeFolder('e2e-world')
    plane = await startControlPlane()
    client = HttpKubeClient.fromKubeConfig(loadKubeConfig({ path: plane.kubeconfigPath }), { clock })
    const commands: Commands = new MachineCommands(E2E.checkout)
    kubectl = new Kubectl(commands, { program: program('kubectl'), kubeconfig: plane.kubeconfigPath })
    workloads = new Workloads({ client, kubectl, commands: docker, docker: 'docker' })
    await installCrds({ client, clock }, kilonovaCrds(), { replace: false })
    for (const node of NODES) await createNode(client, node, toTimestamp(clock.now()))
    await kubectl.run('create', 'namespace', E2E.namespace)
    await kubectl.run('create', 'serviceaccount', 'default', `--namespace=${E2E.namespace}`)
    const manifests = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: renderedWorkloads() })
    await commands.run(
      program('kubectl'),
      [`--kubeconfig=${plane.kubeconfigPath}`, 'apply', '--filename=-'],
      { input: manifests },
    )
    paper = new PaperCluster(plane)
    paper.start()
    for (const node of NODES) await workloads.startAgent(node)
    for (const component of COMPONENTS) await workloads.ready(component)
  })
  afterAll(async () => {
    await paper?.stop()
    await client?.close()
    await plane?.stop()
    removeFolder(folder)
  })

  const uidsOf = async (component: Component, node?: string): Promise<readonly (string | undefined)[]> =>
    (await workloads.pods(component, node)).map(({ metadata }) => metadata.uid)

  it.each(COMPONENTS)('finds the Pods of %s, as many as the chart says', async (component) => {
    expect(await workloads.pods(component)).toHaveLength(REPLICAS[component] ?? NODES.length)
  })

  it.each(['api', 'nats'] as const)('takes all Pods of %s away, and brings others', async (component) => {
    const before = await uidsOf(component)

    await workloads.scaleDown(component)
    expect(await uidsOf(component)).toEqual([])
    // Also when there is nothing to be taken away.
    await workloads.scaleDown(component)
    await workloads.scaleUp(component)

    const after = await uidsOf(component)
    expect(after).toHaveLength(before.length)
    expect(after.filter((uid) => before.includes(uid))).toEqual([])
  })

  it('takes the agent from one node alone, and gives it back', async () => {
    const others = [...(await uidsOf('compute', 'node-1')), ...(await uidsOf('compute', 'node-3'))]

    await workloads.stopAgent('node-2')
    expect(await uidsOf('compute', 'node-2')).toEqual([])
    expect(await uidsOf('compute')).toEqual(expect.arrayContaining(others))
    await workloads.startAgent('node-2')

    expect(await uidsOf('compute', 'node-2')).toHaveLength(1)
    expect(await uidsOf('compute')).toEqual(expect.arrayContaining(others))
  })

  it.each(['api', 'compute', 'nats'] as const)('rolls %s out: each Pod is another', async (component) => {
    const before = await uidsOf(component)

    await workloads.rollOut(component)

    await eventually('all are replaced', async () => {
      const after = await uidsOf(component)
      return after.length === before.length && !after.some((uid) => before.includes(uid))
    })
  })

  it('kills every container of a Pod on its node, and waits for others in their place', async () => {
    const [pod] = await workloads.pods('scheduler')
    if (!pod) throw new Error('there is no scheduler')
    const [container] = pod.status?.containerStatuses ?? []
    const before = docker.lines.length
    let isBack = false

    const killing = workloads.killAndAwait(pod).then(() => {
      isBack = true
    })
    await eventually('it is killed', () => docker.lines.length > before)
    expect(docker.lines.slice(before)).toEqual([
      `docker exec ${pod.spec.nodeName} crictl stop --timeout 0 ${container?.containerID?.slice('containerd://'.length)}`,
    ])
    await eventually('it is looked at again', async () => (await workloads.pods('scheduler')).length === 2)
    expect(isBack).toBe(false)
    await paper.restartContainers(E2E.namespace, pod.metadata.name)

    await killing
  })

  it('knows the services by Nova’s names, and their logs from the first Pod to the last', async () => {
    const followed: string[] = []
    const logs = new PodLogs(
      {
        client,
        follow: async (pod, container, onText) => {
          followed.push(`${pod}/${container}`)
          onText(`${pod} began\n`)
        },
      },
      join(folder, 'services'),
    )
    await logs.start()
    const services = new ClusterServices({ workloads, logs }, NODES)
    expect(services.names).toEqual([
      'nova-api',
      'nova-scheduler',
      'nova-conductor',
      ...NODES.map((node) => `nova-compute-${node}`),
    ])
    const [old] = await workloads.pods('compute', 'node-1')
    const linesOf = (name: string): readonly string[] => services.log(name).trimEnd().split('\n')
    await eventually('both schedulers are followed', () => linesOf('nova-scheduler').length === 2)

    await services.kill('nova-compute-node-1')
    expect(await workloads.pods('compute', 'node-1')).toEqual([])
    await services.start('nova-compute-node-1')

    const [young] = await workloads.pods('compute', 'node-1')
    await eventually('the new one is followed too', () => linesOf('nova-compute-node-1').length === 2)
    expect(linesOf('nova-compute-node-1')).toEqual([old, young].map((pod) => `${nameOf(pod)} began`))
    expect(linesOf('nova-compute-node-2')).toHaveLength(1)
    expect(new Set(followed).size).toBe(followed.length)
    const file = join(folder, 'services/nova-compute-node-1.log')
    expect(readFileSync(file, 'utf8')).toBe(services.log('nova-compute-node-1'))
    await expect(services.start('nova-api-2')).rejects.toThrow('a cluster has no service nova-api-2')
    await logs.stop()
  })

  it('sees what is on a node', async () => {
    const names = (await podsOnNode(client, 'node-3')).map(nameOf)

    expect(names.some((name) => name.startsWith('kilonova-compute-node-3-'))).toBe(true)
    expect(names.some((name) => name.startsWith('kilonova-compute-node-1-'))).toBe(false)
  })

  it('waits for KubeVirt’s label on the nodes in words that kubectl understands', async () => {
    const wait = async (value: string): Promise<string> =>
      kubectl.run(
        'wait',
        'node',
        '--selector=!node-role.kubernetes.io/control-plane',
        String.raw`--for=jsonpath={.metadata.labels.kubevirt\.io/schedulable}=${value}`,
        '--timeout=1s',
      )

    expect((await wait('true')).trim().split('\n')).toEqual(NODES.map((node) => `node/${node} condition met`))
    await expect(wait('maybe')).rejects.toThrow('timed out')
  })

  it('begins with nothing left of earlier scenarios, and with the catalogue', async () => {
    const namespace = await makeNamespace(client)
    const left = { apiVersion: 'compute.kilonova.dev/v1alpha1', metadata: { name: 'left' } }
    await client.create(FLAVOR, { ...left, kind: 'Flavor', spec: { vcpus: 1, memoryMb: 64, diskGb: 1 } })
    const instance = {
      ...left,
      kind: 'Instance',
      metadata: { namespace, name: 'left' },
      spec: { flavor: 'left', image: 'cirros' },
    }
    await client.create(INSTANCE, instance as Instance)

    await cleanUp(client)

    expect((await client.list(INSTANCE)).items).toEqual([])
    const flavors = (await client.list(FLAVOR)).items.map(({ metadata }) => metadata.name)
    expect(flavors.toSorted()).toEqual(['m1.large', 'm1.medium', 'm1.small', 'm1.tiny', 'm1.xlarge'])
    expect(await kubectl.run('get', 'namespace', namespace)).toContain('Terminating')
  })

  it('gathers what there is to see, and says why of what there is not', async () => {
    const gathered = join(folder, 'gathered')

    await gather(new MachineCommands(E2E.checkout), {
      kubectl: program('kubectl'),
      kubeconfig: plane.kubeconfigPath,
      folder: gathered,
    })

    const read = (file: string): string => readFileSync(join(gathered, file), 'utf8')
    expect(read('pods.txt')).toMatch(/kilonova-system +kilonova-api-0-/)
    expect(read('nodes.txt')).toMatch(/Name: +node-1/)
    expect(read('kilonova.yaml')).toContain('kind: List')
    // This API server has neither KubeVirt nor a kubelet.
    expect(read('virtual-machines.yaml')).toContain(`doesn't have a resource type "virtualmachines"`)
    const [pod] = await workloads.pods('api')
    expect(existsSync(join(gathered, `logs/${E2E.namespace}_${nameOf(pod)}.log`))).toBe(true)
  })
})

describe.skipIf(setupNeeded() !== undefined)('the messages that a NATS server has', () => {
  it('are counted from what it tells on its monitoring port', async () => {
    const monitor = await freePort()
    const nats = await startNats({
      config: `
        http: "127.0.0.1:${monitor}"
        accounts { KILONOVA { jetstream: enabled, users: [{ user: kilonova, password: secret }] } }
        no_auth_user: kilonova`,
    })
    const { connect } = await import('@nats-io/transport-node')
    const { jetstreamManager } = await import('@nats-io/jetstream')
    const ask = async (): Promise<number> =>
      messagesIn(await (await fetch(`http://127.0.0.1:${monitor}${STREAMS_PATH}`)).text())
    try {
      expect(await ask()).toBe(0)
      const connection = await connect({ servers: nats.url })
      const manager = await jetstreamManager(connection)
      for (const name of ['ONE', 'TWO']) await manager.streams.add({ name, subjects: [`${name}.>`] })
      await manager.jetstream().publish('ONE.a', 'x')
      await manager.jetstream().publish('TWO.a', 'x')
      await manager.jetstream().publish('TWO.b', 'x')
      await connection.close()

      expect(await ask()).toBe(3)
    } finally {
      await nats.stop()
    }
  })
})

describe('the chart with the values of the e2e run', () => {
  it.skipIf(setupNeeded('helm') !== undefined)('has what the world looks for', () => {
    const objects = renderedWorkloads()

    for (const component of COMPONENTS) {
      const [kind, name] = objectOf(component).split('/')
      const found = objects.find((one) => one.kind.toLowerCase() === kind && one.metadata.name === name)
      expect(found, objectOf(component)).toBeDefined()
      const { labels } = found?.spec.template.metadata ?? { labels: {} }
      const wanted = selectorOf(component)
        .split(',')
        .map((pair) => pair.split('='))
      expect(wanted.filter(([label = '', value]) => labels[label] !== value)).toEqual([])
      expect(found?.spec.replicas).toBe(REPLICAS[component])
    }
    const agents = objects.find(({ kind }) => kind === 'DaemonSet')
    expect(agents?.spec.template.spec.nodeSelector).toMatchObject({
      [E2E.agentLabel]: 'present',
      'kubevirt.io/schedulable': 'true',
    })
  })
})

function nameOf(pod: Pod | undefined): string {
  return pod?.metadata.name ?? ''
}

interface RenderedWorkload {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly replicas?: number
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> }
      readonly spec: { readonly nodeSelector?: Readonly<Record<string, string>> }
    }
  }
}

/** What `npm run e2e` has helm install, of what makes Pods. */
function renderedWorkloads(): readonly RenderedWorkload[] {
  const args = ['template', E2E.release, E2E.chart, `--namespace=${E2E.namespace}`, `--values=${E2E.values}`]
  const versions = ['--kube-version=1.36.4', '--set=image.tag=e2e-0123456789ab']
  const text = execFileSync(program('helm'), [...args, ...versions], { encoding: 'utf8', maxBuffer: 2 ** 24 })
  return parseAllDocuments(text)
    .map((document) => document.toJS() as RenderedWorkload | null)
    .filter((object) => object !== null)
    .filter(({ kind }) => ['Deployment', 'StatefulSet', 'DaemonSet'].includes(kind))
}
