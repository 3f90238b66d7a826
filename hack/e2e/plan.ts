import type { Arguments } from './arguments.ts'
import { buildImage, installKilonova, installKubeVirt, testKilonova } from './install.ts'
import type { KindCluster, Toolbox } from './kind-cluster.ts'
import { E2E } from './settings.ts'

export interface Step {
  readonly title: string
  /** It tells itself how it is getting on. */
  readonly isTalkative?: boolean
  readonly run: () => Promise<void>
}

/** What is done, in order, up to the scenarios. */
export function planOf(
  tools: Toolbox,
  cluster: KindCluster,
  args: Arguments,
  isThere: boolean,
): readonly Step[] {
  const scenarios = { title: 'the scenarios', isTalkative: true, run: () => runScenarios(tools, args.only) }
  const found = {
    title: `the kind cluster ${E2E.cluster}, which is there`,
    run: () => cluster.writeKubeconfig(),
  }
  if (args.reuse) return [found, scenarios]
  let tag = ''
  return [
    { title: 'the limits of the kernel', run: () => cluster.raiseInotifyLimits() },
    isThere ? found : { title: `the kind cluster ${E2E.cluster}`, run: () => cluster.create() },
    {
      title: 'the image, built and loaded',
      run: async () => {
        tag = await buildImage(tools, cluster)
      },
    },
    { title: `KubeVirt ${E2E.kubevirt}`, run: () => installKubeVirt(tools, cluster, args.emulate) },
    { title: 'the chart', run: () => installKilonova(tools, tag) },
    { title: 'helm test', run: () => testKilonova(tools) },
    scenarios,
  ]
}

async function runScenarios({ commands }: Toolbox, only: string | undefined): Promise<void> {
  const pattern = only === undefined ? [] : [`--testNamePattern=${only}`]
  await commands.run('node_modules/.bin/vitest', ['run', '--project=e2e', ...pattern], {
    env: { KILONOVA_E2E_KUBECONFIG: E2E.kubeconfig },
    isShown: true,
  })
}
