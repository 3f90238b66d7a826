import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parse } from 'yaml'
import { messageOf } from '../common/errors/message-of.ts'

/** How requests say who they come from. */
export type KubeUser =
  /** A bearer token, a password or just the client certificate: never changes. */
  | { readonly kind: 'static'; readonly headers: Readonly<Record<string, string>> }
  /** A token in a file that somebody else renews, as in a pod. */
  | { readonly kind: 'tokenFile'; readonly path: string; readonly headers: Readonly<Record<string, string>> }
  /** An exec plugin or a cloud's auth provider: client-node knows how, from this file. */
  | { readonly kind: 'plugin'; readonly kubeconfig: string; readonly context: string }

/** TLS material in PEM. */
export interface KubeTls {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly servername?: string
  readonly rejectUnauthorized?: boolean
}

/**
 * Where an API server is and how to be let in. Ours and not client-node's class of the name: importing that
 * one costs 55 MB of memory and most of a second in every process, for its generated models.
 */
export interface KubeConfig {
  /** `https://host:port`, or `http://` for the embedded server; may have a path. */
  readonly server: string
  readonly user?: KubeUser
  readonly tls?: KubeTls
  /** An HTTP proxy on the way to the server. */
  readonly proxyUrl?: string
  /** The context's namespace. */
  readonly namespace?: string
}

export interface LoadOptions {
  /** A kubeconfig file; without one `~/.kube/config`. */
  readonly path?: string | undefined
  /** A context of the file; without one its current context. */
  readonly context?: string | undefined
  /** Use the pod's service account instead of a file. */
  readonly inCluster?: InCluster | undefined
}

/** What a pod is given. The address is in KUBERNETES_SERVICE_HOST and _PORT, which only `conf/` reads. */
export interface InCluster {
  readonly host: string
  readonly port: string
  /** The service account's folder. */
  readonly folder?: string | undefined
}

/** The kubeconfig cannot be used; the message says which file and why. */
export class KubeConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'KubeConfigError'
  }
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Reads a kubeconfig file or a pod's service account. Throws KubeConfigError. */
export function loadKubeConfig(options: LoadOptions = {}): KubeConfig {
  if (options.inCluster) return loadInCluster(options.inCluster)
  const path = resolve(options.path ?? join(homedir(), '.kube', 'config'))
  return parseKubeConfig(readText(path), path, options.context)
}

function loadInCluster(options: InCluster): KubeConfig {
  const folder = options.folder ?? SERVICE_ACCOUNT
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  return {
    server: `https://${host}:${options.port}`,
    tls: { ca: readText(join(folder, 'ca.crt')) },
    user: { kind: 'tokenFile', path: join(folder, 'token'), headers: {} },
    namespace: readText(join(folder, 'namespace')).trim(),
  }
}

type Fields = Readonly<Record<string, unknown>>

/** Reads a kubeconfig's text; `path` is where it lies, for relative paths in it and for messages. */
export function parseKubeConfig(text: string, path: string, context?: string): KubeConfig {
  const root = fields(parseYaml(text, path))
  const contextName = context ?? textOf(root['current-context'])
  if (contextName === undefined) throw new KubeConfigError(`${path}: no current-context`)
  const chosen = entry(root, 'contexts', 'context', { name: contextName, path })
  const cluster = entry(root, 'clusters', 'cluster', { name: textOf(chosen.cluster) ?? '', path })
  const userName = textOf(chosen.user)
  const user = userName === undefined ? {} : entry(root, 'users', 'user', { name: userName, path })

  const server = textOf(cluster.server)
  if (server === undefined) throw new KubeConfigError(`${path}: the cluster of ${contextName} has no server`)
  const proxyUrl = textOf(cluster['proxy-url'])
  const namespace = textOf(chosen.namespace)
  return {
    server,
    tls: tlsOf(cluster, user, path),
    user: userOf(user, path, contextName),
    ...(proxyUrl !== undefined && { proxyUrl }),
    ...(namespace !== undefined && { namespace }),
  }
}

function tlsOf(cluster: Fields, user: Fields, path: string): KubeTls {
  const ca = pem(cluster, 'certificate-authority', path)
  const cert = pem(user, 'client-certificate', path)
  const key = pem(user, 'client-key', path)
  const servername = textOf(cluster['tls-server-name'])
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(servername !== undefined && { servername }),
    ...(cluster['insecure-skip-tls-verify'] === true && { rejectUnauthorized: false }),
  }
}

function userOf(user: Fields, path: string, context: string): KubeUser {
  if (user.exec !== undefined || user['auth-provider'] !== undefined) {
    return { kind: 'plugin', kubeconfig: path, context }
  }
  const headers: Record<string, string> = {}
  const as = textOf(user.as)
  if (as !== undefined) headers['impersonate-user'] = as
  const username = textOf(user.username)
  if (username !== undefined) {
    const password = textOf(user.password) ?? ''
    headers.authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  }
  const token = textOf(user.token)
  const tokenFile = textOf(user.tokenFile)
  if (tokenFile !== undefined) return { kind: 'tokenFile', path: resolve(dirname(path), tokenFile), headers }
  if (token !== undefined) headers.authorization = `Bearer ${token}`
  return { kind: 'static', headers }
}

/** A PEM, inline in base64 (`name-data`, which wins as in kubectl) or in a file beside the kubeconfig. */
function pem(from: Fields, name: string, path: string): string | undefined {
  const data = textOf(from[`${name}-data`])
  if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8')
  const file = textOf(from[name])
  return file === undefined ? undefined : readText(resolve(dirname(path), file))
}

function entry(
  root: Fields,
  list: string,
  inner: string,
  want: { readonly name: string; readonly path: string },
): Fields {
  const entries = Array.isArray(root[list]) ? root[list].map(fields) : []
  const found = entries.find((candidate) => candidate.name === want.name)
  if (!found) throw new KubeConfigError(`${want.path}: there is no '${want.name}' in ${list}`)
  return fields(found[inner])
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function parseYaml(text: string, path: string): unknown {
  try {
    return parse(text)
  } catch (cause) {
    throw new KubeConfigError(`${path} is no YAML: ${messageOf(cause)}`, {
      cause,
    })
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new KubeConfigError(`cannot read ${path}: ${messageOf(cause)}`, {
      cause,
    })
  }
}
