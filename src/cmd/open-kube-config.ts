import { inClusterAddress } from '../conf/common.ts'
import { type KubeConfig, loadKubeConfig } from '../kube/kube-config.ts'

/**
 * Which API server a command speaks to, and as whom: what the kubeconfig says, or without one the pod's own service account.
 * @throws KubeConfigError
 */
export function openKubeConfig(
  path: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): KubeConfig {
  const inCluster = path === undefined ? inClusterAddress(env) : undefined
  return loadKubeConfig({ path, inCluster })
}
