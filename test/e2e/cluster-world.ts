import { join } from 'node:path'
import { MachineCommands } from '../../hack/e2e/commands.ts'
import { E2E } from '../../hack/e2e/settings.ts'
import { findOnPath, findTools } from '../../hack/setup/find.ts'
import { SystemClock } from '../../src/common/clock.ts'
import { InstanceFollower } from '../../src/dev/instance-follower.ts'
import { HttpKubeClient } from '../../src/kube/http-client.ts'
import { loadKubeConfig } from '../../src/kube/kube-config.ts'
import { NODE } from '../../src/virt/kubevirt/resources.ts'
import { makeNamespace } from '../scenarios/namespaces.ts'
import type { World } from '../scenarios/world.ts'
import { cleanUp } from './clean-up.ts'
import { ClusterBroker } from './cluster-broker.ts'
import { followWithKubectl } from './follow-log.ts'
import { Kubectl } from './kubectl.ts'
import { PodLogs } from './pod-logs.ts'
import { ClusterServices } from './services.ts'
import { COMPONENTS, Workloads } from './workloads.ts'

/** A cluster in which the chart is installed, on KubeVirt. */
export interface ClusterWorld extends World {
  readonly workloads: Workloads
  readonly kubectl: Kubectl
  /** Lets go of it. `stop` leaves it to the other scenarios. */
  close(): Promise<void>
}

/** The cluster of a kubeconfig, with everything that runs there started and ready, and nothing left of an earlier run. */
export async function openClusterWorld(kubeconfigPath: string): Promise<ClusterWorld> {
  const docker = findOnPath('docker', process.env)
  const program = findTools().kubectl
  if (!docker || !program) throw new Error('docker and kubectl are needed: npm run e2e says how to get them')
  const commands = new MachineCommands(E2E.checkout)
  const client = HttpKubeClient.fromKubeConfig(loadKubeConfig({ path: kubeconfigPath }), {
    clock: new SystemClock(),
  })
  const kubectl = new Kubectl(commands, { program, kubeconfig: kubeconfigPath })
  const workloads = new Workloads({ client, kubectl, commands, docker })
  const logs = new PodLogs(
    { client, follow: followWithKubectl(program, kubeconfigPath) },
    join(E2E.folder, 'services'),
  )
  await logs.start()
  const { items } = await client.list(NODE, { labelSelector: '!node-role.kubernetes.io/control-plane' })
  const nodes = items.map(({ metadata }) => metadata.name).toSorted()
  for (const node of nodes) {
    await kubectl.run('uncordon', node)
    await workloads.startAgent(node)
  }
  for (const component of COMPONENTS) {
    if (component !== 'compute') await workloads.scaleUp(component)
  }
  await cleanUp(client)
  const follower = new InstanceFollower({ client })
  follower.start()
  return {
    client,
    kubeconfigPath,
    follower,
    workloads,
    kubectl,
    get standIn(): never {
      throw new Error('real guests do what they want')
    },
    apiServer: { goAway: async () => stays('the API server'), comeBack: async () => undefined },
    broker: new ClusterBroker(workloads, kubectl),
    kubevirt: { uninstall: async () => stays('KubeVirt'), install: async () => undefined },
    services: new ClusterServices({ workloads, logs }, nodes),
    namespace: () => makeNamespace(client),
    stop: async () => undefined,
    close: async () => {
      follower.stop()
      await logs.stop()
      await client.close()
    },
  }
}

function stays(what: string): never {
  throw new Error(`${what} of this world stays`)
}
