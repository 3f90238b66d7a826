import type { RequestInit, Response } from 'undici'
import { makeEtcd } from './etcd.ts'
import { makeFolder, removeFolder } from './folder.ts'
import { makeKubeApiserver } from './kube-apiserver.ts'
import type { Part } from './part.ts'
import { retryOnPortRace } from './ports.ts'
import type { User, UserSpec } from './users.ts'

export interface ControlPlaneOptions {
  /** etcd syncs every write to disk, as in a real cluster. Default false: tests care for speed. */
  readonly fsync?: boolean
  /** Users besides the administrator. */
  readonly users?: readonly UserSpec[]
  readonly extraArgs?: readonly string[]
  /** Leave the folder, with its logs, to be looked at. */
  readonly keep?: boolean
  readonly readyWithinMs?: number
}

export interface ControlPlane {
  readonly url: string
  readonly caFile: string
  /** The administrator's. */
  readonly token: string
  readonly kubeconfigPath: string
  /** All of them, the administrator too, by name. */
  readonly users: ReadonlyMap<string, User>
  /** Logs, certificates, kubeconfigs, etcd's data. */
  readonly dir: string
  readonly etcd: Part
  readonly apiserver: Part
  /** Ends both and removes the folder. */
  stop(): Promise<void>
  /** SIGKILL for the API server; etcd goes on, `restart()` brings the API server back. */
  kill(): Promise<void>
  /** The API server anew on its port, with its certificate and data; etcd too if it is not running. */
  restart(): Promise<void>
  /** `request('/api/v1/namespaces')`: as the administrator, unless the headers carry another's token. */
  readonly request: (path: string, init?: RequestInit) => Promise<Response>
  /** The API server's own metrics, in Prometheus' text format. */
  metrics(): Promise<string>
}

/** Starts etcd and kube-apiserver on free loopback ports, in a folder of their own. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  return retryOnPortRace(() => startOnce(options))
}

async function startOnce(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { keep = false, readyWithinMs = 90_000 } = options
  const dir = makeFolder('control-plane', keep)
  const etcd = await makeEtcd({ dir, fsync: options.fsync ?? false, readyWithinMs })
  const server = await makeKubeApiserver({
    dir,
    etcdUrl: etcd.url,
    users: options.users ?? [],
    extraArgs: options.extraArgs ?? [],
    readyWithinMs,
  })
  const startBoth = async () => {
    await etcd.part.start()
    await server.part.start()
  }
  const stop = async () => {
    // Its data goes away with it, so there is nothing for an orderly end to save.
    await server.part.kill()
    await etcd.part.kill()
    if (!keep) removeFolder(dir)
  }
  try {
    await startBoth()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url: server.url,
    caFile: server.caFile,
    token: server.admin.token,
    kubeconfigPath: server.admin.kubeconfigPath,
    users: server.users,
    dir,
    etcd: etcd.part,
    apiserver: server.part,
    stop,
    kill: () => server.part.kill(),
    restart: async () => {
      await server.part.stop()
      await startBoth()
    },
    request: server.request,
    metrics: async () => (await server.request('/metrics')).text(),
  }
}
