import { isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import { CONFIG_MAP, type ConfigMap, SECRET, type Secret } from './objects.ts'

/** Names with their values, as text. */
export type Entries = Readonly<Record<string, string>>

/** What an object held when it was read. */
export interface Read {
  readonly isThere: boolean
  readonly entries: Entries
  /** Writes all of these. Rejects with 409 when somebody else wrote meanwhile. */
  write(entries: Entries): Promise<void>
}

/** Secrets and ConfigMaps of one namespace, as entries of text. */
export class EntryStore {
  readonly #client: KubeClient
  readonly #namespace: string

  constructor(deps: { readonly client: KubeClient }, options: { readonly namespace: string }) {
    this.#client = deps.client
    this.#namespace = options.namespace
  }

  async secret(name: string): Promise<Read> {
    const found = await this.#client
      .get(SECRET, { namespace: this.#namespace, name })
      .catch(undefinedIfNotFound)
    return {
      isThere: found !== undefined,
      entries: mapValues(found?.data ?? {}, (value) => Buffer.from(value, 'base64').toString('utf8')),
      write: async (entries) => {
        const data = mapValues(entries, (value) => Buffer.from(value).toString('base64'))
        if (found) await this.#client.replace(SECRET, { ...found, data: { ...found.data, ...data } })
        else await this.#client.create(SECRET, { ...this.#new('Secret', name), type: 'Opaque', data })
      },
    }
  }

  async configMap(name: string): Promise<Read> {
    const found = await this.#client
      .get(CONFIG_MAP, { namespace: this.#namespace, name })
      .catch(undefinedIfNotFound)
    return {
      isThere: found !== undefined,
      entries: found?.data ?? {},
      write: async (entries) => {
        if (found) await this.#client.replace(CONFIG_MAP, { ...found, data: { ...found.data, ...entries } })
        else await this.#client.create(CONFIG_MAP, { ...this.#new('ConfigMap', name), data: { ...entries } })
      },
    }
  }

  #new(kind: string, name: string): Secret & ConfigMap {
    const labels = {
      'app.kubernetes.io/part-of': 'kilonova',
      'app.kubernetes.io/managed-by': 'kilonova-nats-keys',
    }
    return { apiVersion: 'v1', kind, metadata: { name, namespace: this.#namespace, labels } }
  }
}

function undefinedIfNotFound(error: unknown): undefined {
  if (!isNotFound(error)) throw error
}

function mapValues(entries: Entries, change: (value: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, change(value)]))
}
