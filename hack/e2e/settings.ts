import { join } from 'node:path'

const CHECKOUT = join(import.meta.dirname, '../..')

/** What `npm run e2e` installs where. The one place with the versions of what it gets from elsewhere. */
export const E2E = {
  cluster: 'kilonova-e2e',
  release: 'kilonova',
  namespace: 'kilonova-system',
  /** The oldest kind that goes with the node images of hack/kind.yaml. */
  kind: '0.33.0',
  kubevirt: 'v1.9.0',
  image: 'kilonova',
  /** On a node: whether Kilonova's agent is to run there. */
  agentLabel: 'e2e.kilonova.dev/agent',
  checkout: CHECKOUT,
  kindConfig: join(CHECKOUT, 'hack/kind.yaml'),
  chart: join(CHECKOUT, 'charts/kilonova'),
  values: join(CHECKOUT, 'hack/e2e/values.yaml'),
  /** Where the kubeconfig goes, and after a failure everything that helps to understand it. */
  folder: join(CHECKOUT, '.kilonova/e2e'),
  kubeconfig: join(CHECKOUT, '.kilonova/e2e/kubeconfig'),
} as const

/** Kernel settings of the machine that kind's nodes share: with less, KubeVirt's agents fail with "too many open files". */
export const INOTIFY: Readonly<Record<string, number>> = {
  'fs.inotify.max_user_instances': 512,
  'fs.inotify.max_user_watches': 524_288,
}
