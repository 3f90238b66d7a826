import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Commands } from './commands.ts'
import { E2E } from './settings.ts'

export interface GatherOptions {
  readonly kubectl: string
  readonly kubeconfig: string
  readonly folder: string
}

const PICTURES: Readonly<Record<string, readonly string[]>> = {
  'pods.txt': ['get', 'pods', '--all-namespaces', '--output=wide'],
  'pods.yaml': ['get', 'pods', '--all-namespaces', '--output=yaml'],
  'events.txt': ['get', 'events', '--all-namespaces', '--sort-by=.metadata.creationTimestamp'],
  'nodes.txt': ['describe', 'nodes'],
  'workloads.txt': ['get', 'all,pvc,pdb,jobs', `--namespace=${E2E.namespace}`, '--output=wide'],
  'kubevirt.yaml': ['get', 'kubevirts.kubevirt.io', '--all-namespaces', '--output=yaml'],
  'instances.txt': ['get', 'instances.compute.kilonova.dev', '--all-namespaces', '--output=wide'],
  'kilonova.yaml': [
    'get',
    'instances.compute.kilonova.dev,instanceactions.compute.kilonova.dev,computenodes.compute.kilonova.dev',
    '--all-namespaces',
    '--output=yaml',
  ],
  'virtual-machines.yaml': [
    'get',
    'virtualmachines.kubevirt.io,virtualmachineinstances.kubevirt.io',
    '--all-namespaces',
    '--output=yaml',
  ],
}

const podList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ namespace: z.string(), name: z.string() }),
      status: z.object({ containerStatuses: z.array(z.object({ restartCount: z.number() })).optional() }),
    }),
  ),
})

type ListedPod = z.infer<typeof podList>['items'][number]

const AT_ONCE = 4

/**
 * Writes what there is to see of a cluster into a folder: its Pods and their logs, events, nodes, instances and VMs.
 * What cannot be had is replaced by the reason why. Gives the number of files.
 */
export async function gather(commands: Commands, options: GatherOptions): Promise<number> {
  const { folder, kubectl, kubeconfig } = options
  mkdirSync(join(folder, 'logs'), { recursive: true })
  let written = 0
  const picture = async (file: string, args: readonly string[]): Promise<void> => {
    const text = await commands
      .run(kubectl, [`--kubeconfig=${kubeconfig}`, '--request-timeout=60s', ...args])
      .catch((error: unknown) => String(error))
    writeFileSync(join(folder, file), text)
    written += 1
  }
  for (const [file, args] of Object.entries(PICTURES)) await picture(file, args)
  const logs = async ({ metadata, status }: ListedPod): Promise<void> => {
    const { namespace, name } = metadata
    const args = ['logs', `--namespace=${namespace}`, name, '--all-containers', '--prefix', '--timestamps']
    await picture(join('logs', `${namespace}_${name}.log`), args)
    if (status.containerStatuses?.some(({ restartCount }) => restartCount > 0)) {
      await picture(join('logs', `${namespace}_${name}.previous.log`), [...args, '--previous'])
    }
  }
  const all = await pods(commands, options)
  for (let index = 0; index < all.length; index += AT_ONCE) {
    await Promise.all(all.slice(index, index + AT_ONCE).map(logs))
  }
  return written
}

async function pods(
  commands: Commands,
  { kubectl, kubeconfig }: GatherOptions,
): Promise<readonly ListedPod[]> {
  const args = ['get', 'pods', '--all-namespaces', '--output=json']
  try {
    const text = await commands.run(kubectl, [`--kubeconfig=${kubeconfig}`, '--request-timeout=60s', ...args])
    return podList.parse(JSON.parse(text)).items
  } catch {
    // The pictures above tell why.
    return []
  }
}
