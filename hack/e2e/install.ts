import type { KindCluster, Toolbox } from './kind-cluster.ts'
import { E2E } from './settings.ts'

/** Builds the image, gives it to the nodes, and tells its tag, which is another for another image. */
export async function buildImage(tools: Toolbox, cluster: KindCluster): Promise<string> {
  const { commands, programs } = tools
  const local = `${E2E.image}:e2e`
  await commands.run(programs.docker, ['build', '--load', `--tag=${local}`, '.'], {
    // kind cannot load an image with attestations from Docker's containerd store.
    env: { DOCKER_BUILDKIT: '1', BUILDX_NO_DEFAULT_ATTESTATIONS: '1' },
  })
  const id = await commands.run(programs.docker, ['image', 'inspect', '--format={{.Id}}', local])
  const tag = `e2e-${id.trim().replace('sha256:', '').slice(0, 12)}`
  const image = `${E2E.image}:${tag}`
  await commands.run(programs.docker, ['tag', local, image])
  await cluster.load(image)
  return tag
}

/** Installs KubeVirt, and waits until it can run VMs on every worker. */
export async function installKubeVirt(tools: Toolbox, cluster: KindCluster, emulate: boolean): Promise<void> {
  const hasHardware = await cluster.hasVirtualization()
  if (!hasHardware)
    tools.log('the nodes have no /dev/kvm or no /dev/vhost-net: guests are emulated, and slow')
  const useEmulation = emulate || !hasHardware
  const release = `https://github.com/kubevirt/kubevirt/releases/download/${E2E.kubevirt}`
  await kubectl(tools, [
    'apply',
    '--server-side',
    '--force-conflicts',
    `--filename=${release}/kubevirt-operator.yaml`,
  ])
  await kubectl(tools, ['wait', 'crd/kubevirts.kubevirt.io', '--for=condition=Established', '--timeout=1m'])
  await kubectl(tools, [
    'rollout',
    'status',
    'deployment/virt-operator',
    '--namespace=kubevirt',
    '--timeout=10m',
  ])
  const resource = {
    apiVersion: 'kubevirt.io/v1',
    kind: 'KubeVirt',
    metadata: { name: 'kubevirt', namespace: 'kubevirt' },
    spec: {
      imagePullPolicy: 'IfNotPresent',
      configuration: { developerConfiguration: { useEmulation } },
    },
  }
  await kubectl(
    tools,
    ['apply', '--server-side', '--force-conflicts', '--filename=-'],
    JSON.stringify(resource),
  )
  await kubectl(tools, [
    'wait',
    'kubevirt/kubevirt',
    '--namespace=kubevirt',
    '--for=jsonpath={.status.phase}=Deployed',
    '--timeout=20m',
  ])
  await kubectl(tools, [
    'wait',
    'node',
    `--selector=${WORKERS}`,
    String.raw`--for=jsonpath={.metadata.labels.kubevirt\.io/schedulable}=true`,
    '--timeout=5m',
  ])
}

const WORKERS = '!node-role.kubernetes.io/control-plane'

/** Installs or upgrades the chart, and waits until all of it is ready. */
export async function installKilonova(tools: Toolbox, tag: string): Promise<void> {
  await kubectl(tools, ['label', 'node', `--selector=${WORKERS}`, `${E2E.agentLabel}=present`, '--overwrite'])
  await helm(tools, [
    'upgrade',
    '--install',
    E2E.release,
    E2E.chart,
    '--create-namespace',
    `--values=${E2E.values}`,
    `--set=image.tag=${tag}`,
    '--wait',
    '--timeout=15m',
  ])
}

/** `helm test`, which runs `kilonova check` in the cluster. */
export async function testKilonova(tools: Toolbox): Promise<void> {
  const said = await helm(tools, ['test', E2E.release, '--timeout=5m'])
  for (const line of said.trimEnd().split('\n')) tools.log(line)
}

async function kubectl(
  { commands, programs }: Toolbox,
  args: readonly string[],
  input?: string,
): Promise<string> {
  const all = [`--kubeconfig=${E2E.kubeconfig}`, ...args]
  return commands.run(programs.kubectl, all, input === undefined ? {} : { input })
}

async function helm({ commands, programs }: Toolbox, args: readonly string[]): Promise<string> {
  return commands.run(programs.helm, [
    ...args,
    `--kubeconfig=${E2E.kubeconfig}`,
    `--namespace=${E2E.namespace}`,
  ])
}
