import type { Clock } from '../common/clock.ts'
import type { Logger } from '../common/log.ts'
import { isAlreadyExists, isConflict } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import type { KeyedCertificate } from '../tls/certificate.ts'
import { issueServerCertificate, makeAuthority, whyReissue, whyRenew, withAuthority } from './certificates.ts'
import { missingSeeds, publicKeys, UnusableKey } from './seeds.ts'
import { type Entries, EntryStore, type Read } from './store.ts'

export interface NatsKeysOptions {
  readonly namespace: string
  /** Begins the names of all that is made: `kilonova` for `kilonova-nats-auth`. */
  readonly namePrefix: string
  /** What the servers are called by. */
  readonly serverNames: readonly string[]
}

const TRIES = 5

/** There is nothing to renew. */
export class MissingKeys extends Error {}

/**
 * The keys that NATS and nats-auth need: makes what is missing and renews certificates, and leaves all else as
 * it is. Two of them at once end with the same keys.
 */
export class NatsKeys {
  readonly #store: EntryStore
  readonly #clock: Clock
  readonly #log: Logger
  readonly #options: NatsKeysOptions

  constructor(
    deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger },
    options: NatsKeysOptions,
  ) {
    this.#store = new EntryStore(deps, options)
    this.#clock = deps.clock
    this.#log = deps.log
    this.#options = options
  }

  /**
   * Makes what is missing, and renews what is old. For every install and upgrade.
   *
   * @throws UnusableKey for what is there and is no key
   * @throws ApiError
   */
  async ensure(): Promise<void> {
    await this.#retried(async () => {
      const seeds = await this.#ensureSeeds()
      await this.#ensureServer(
        await this.#ensureAuthority(),
        this.#publicKeys(this.#name('nats-auth'), seeds),
      )
    })
  }

  /**
   * Renews certificates that are old, and makes nothing: who only renews needs no right to make Secrets, and none to
   * the seeds.
   *
   * @throws MissingKeys
   * @throws ApiError
   */
  async renew(): Promise<void> {
    await this.#retried(async () => {
      await this.#mustBeThere()
      await this.#ensureServer(await this.#ensureAuthority(), {})
    })
  }

  async #retried(work: () => Promise<void>): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await work()
        return
      } catch (error) {
        if (tries === TRIES || !(isConflict(error) || isAlreadyExists(error))) throw error
        this.#log.info('Somebody else wrote first; looking again', { reason: error.message })
      }
    }
  }

  async #mustBeThere(): Promise<void> {
    const [server, authority, bundle] = [
      this.#name('nats-server'),
      this.#name('nats-ca-key'),
      this.#name('nats-ca'),
    ]
    const found = await Promise.all([
      this.#store.secret(server),
      this.#store.secret(authority),
      this.#store.configMap(bundle),
    ])
    const missing = [`Secret ${server}`, `Secret ${authority}`, `ConfigMap ${bundle}`].filter(
      (_name, index) => !found[index]?.isThere,
    )
    if (missing.length === 0) return
    throw new MissingKeys(`${missing.join(', ')}: not there; \`helm upgrade\` makes what is missing`)
  }

  async #ensureSeeds(): Promise<Entries> {
    const name = this.#name('nats-auth')
    const secret = await this.#store.secret(name)
    const made = missingSeeds(secret.entries)
    const seeds = { ...secret.entries, ...made }
    // Before anything is written: a wrong one is for somebody to look at.
    this.#publicKeys(name, seeds)
    await this.#write(secret, made, { secret: name })
    return seeds
  }

  /**
   * The bundle is written first: a certificate by an authority that is not in it would be trusted by nobody. An
   * authority whose key was then not written does no harm in it.
   */
  async #ensureAuthority(): Promise<{ readonly authority: KeyedCertificate; readonly bundle: string }> {
    const nowMs = this.#clock.now()
    const keyName = this.#name('nats-ca-key')
    const bundleName = this.#name('nats-ca')
    const [key, config] = await Promise.all([this.#store.secret(keyName), this.#store.configMap(bundleName)])
    const present = pairIn(key.entries)
    const why = whyRenew(present, nowMs)
    const authority = why === undefined ? present : makeAuthority(nowMs)
    const bundle = withAuthority(config.entries['ca.crt'] ?? '', authority.cert, nowMs)
    if (bundle !== config.entries['ca.crt']) {
      await this.#write(config, { 'ca.crt': bundle }, { configMap: bundleName })
    }
    if (why !== undefined) await this.#write(key, entriesOf(authority), { secret: keyName, why })
    return { authority, bundle }
  }

  /** `publicKeys`: those that the servers are to have, where they are known. */
  async #ensureServer(
    { authority, bundle }: { readonly authority: KeyedCertificate; readonly bundle: string },
    publicKeys: Entries,
  ): Promise<void> {
    const nowMs = this.#clock.now()
    const names = this.#options.serverNames
    const name = this.#name('nats-server')
    const secret = await this.#store.secret(name)
    const changed = Object.entries(publicKeys).filter(([variable, key]) => secret.entries[variable] !== key)
    const why = whyReissue(pairIn(secret.entries), { names, bundle, nowMs })
    const pair = why === undefined ? {} : entriesOf(issueServerCertificate(authority, names, nowMs))
    await this.#write(secret, { ...Object.fromEntries(changed), ...pair }, { secret: name, why })
    // A new certificate it takes by itself.
    if (secret.entries['ISSUER'] !== undefined && changed.length > 0) {
      this.#log.warn('NATS takes the new keys when it is restarted', {
        secret: name,
        keys: changed.map(([variable]) => variable),
      })
    }
  }

  #publicKeys(secret: string, seeds: Entries): Entries {
    try {
      return publicKeys(seeds)
    } catch (error) {
      if (!(error instanceof UnusableKey)) throw error
      throw new UnusableKey(`Secret ${this.#options.namespace}/${secret}: ${error.message}`)
    }
  }

  async #write(
    read: Read,
    entries: Entries,
    about: Readonly<Record<string, string | undefined>>,
  ): Promise<void> {
    const keys = Object.keys(entries)
    if (keys.length === 0) return
    await read.write(entries)
    this.#log.info('Wrote what was missing or old', { ...about, keys })
  }

  #name(end: string): string {
    return `${this.#options.namePrefix}-${end}`
  }
}

function pairIn(entries: Entries): KeyedCertificate {
  return { cert: entries['tls.crt'] ?? '', key: entries['tls.key'] ?? '' }
}

function entriesOf(pair: KeyedCertificate): Entries {
  return { 'tls.crt': pair.cert, 'tls.key': pair.key }
}
