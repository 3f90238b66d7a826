import { readFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import type { Clock } from '../common/clock.ts'
import { type KubeConfig, KubeConfigError, type KubeUser } from './kube-config.ts'

/** What one request takes along: headers, and the client certificate when a plugin hands out one. */
export interface Identity {
  readonly headers: Readonly<Record<string, string>>
  readonly cert?: string
  readonly key?: string
}

const NOBODY: Identity = { headers: {} }

/** client-go reads a token file anew after a minute; a plugin's own cache makes asking it again cheap. */
const FRESH_MS = { tokenFile: 60_000, plugin: 5_000 } as const

/**
 * Says who we are, per request. A static user costs nothing; tokens that change are asked for again when they
 * are old or were refused, and never twice at the same time.
 */
export class Credentials {
  readonly #clock: Clock
  readonly #fixed: Identity | undefined
  readonly #fetch: () => Promise<Identity>
  readonly #freshMs: number
  #held: Identity | undefined
  #heldSinceMs = 0
  #pending: Promise<Identity> | undefined

  constructor(deps: { readonly clock: Clock }, config: KubeConfig) {
    this.#clock = deps.clock
    const user = config.user
    this.#fixed = !user ? NOBODY : user.kind === 'static' ? { headers: user.headers } : undefined
    this.#freshMs = user?.kind === 'plugin' ? FRESH_MS.plugin : FRESH_MS.tokenFile
    this.#fetch = fetcherOf(user)
  }

  /** Whether a refused identity (401) can be worth a second look. */
  get renewable(): boolean {
    return this.#fixed === undefined
  }

  /** The identity to use now. Rejects with the plugin's or the file's own error. */
  current(): Identity | Promise<Identity> {
    if (this.#fixed) return this.#fixed
    const isFresh = this.#held && this.#clock.now() - this.#heldSinceMs < this.#freshMs
    if (this.#held && isFresh) return this.#held
    this.#pending ??= this.#renew().finally(() => {
      this.#pending = undefined
    })
    return this.#pending
  }

  /** The server refused what `current` gave: ask anew next time. */
  forget(): void {
    this.#held = undefined
  }

  async #renew(): Promise<Identity> {
    const identity = await this.#fetch()
    this.#held = identity
    this.#heldSinceMs = this.#clock.now()
    return identity
  }
}

function fetcherOf(user: KubeUser | undefined): () => Promise<Identity> {
  if (user?.kind === 'tokenFile') {
    return async () => {
      const token = (await readFile(user.path, 'utf8')).trim()
      return { headers: { ...user.headers, authorization: `Bearer ${token}` } }
    }
  }
  return user?.kind === 'plugin' ? pluginFetcher(user) : async () => NOBODY
}

/** Loads client-node only when a kubeconfig really needs a plugin: see KubeConfig. */
function pluginFetcher(user: KubeUser & { readonly kind: 'plugin' }): () => Promise<Identity> {
  const loaded = Promise.withResolvers<{ applyToHTTPSOptions(options: RequestOptions): Promise<void> }>()
  let isLoading = false
  return async () => {
    if (!isLoading) {
      isLoading = true
      loaded.resolve(loadClientNode(user))
    }
    const options: RequestOptions = {}
    await (await loaded.promise).applyToHTTPSOptions(options)
    const headers = Object.fromEntries(
      Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]),
    )
    const { cert, key } = options
    return {
      headers,
      ...(isPem(cert) && { cert: cert.toString() }),
      ...(isPem(key) && { key: key.toString() }),
    }
  }
}

async function loadClientNode(
  user: KubeUser & { readonly kind: 'plugin' },
): Promise<{ applyToHTTPSOptions(options: RequestOptions): Promise<void> }> {
  const { KubeConfig: ClientNodeConfig } = await import('@kubernetes/client-node').catch((cause: unknown) => {
    // An optional dependency: 80 MB that the image does without, as a pod has a token.
    const reason = `its user asks for an exec plugin or auth provider, which this installation cannot run`
    const way = `use a token or a client certificate, or install @kubernetes/client-node`
    throw new KubeConfigError(`${user.kubeconfig}: ${reason}; ${way}`, { cause })
  })
  const config = new ClientNodeConfig()
  config.loadFromFile(user.kubeconfig)
  config.setCurrentContext(user.context)
  // It refuses http:// servers otherwise; we take only headers and certificates from it, never its connections.
  config.clusters = config.clusters.map((cluster) => ({ ...cluster, skipTLSVerify: true }))
  return config
}

function isPem(value: unknown): value is string | Buffer {
  return typeof value === 'string' || Buffer.isBuffer(value)
}
