import type { Image } from '../apis/v1alpha1/image.ts'
import type { Instance } from '../apis/v1alpha1/instance.ts'
import type { Informer } from '../kube/informer.ts'
import { bookingsOf } from '../objects/bookings.ts'

/** What the images of a host's instances are like. */
export interface ImageUsage {
  /** How many instances there are whose images have a property, by `name=value`. */
  on(host: string): ReadonlyMap<string, number>
  /** Calls `listener` when that may be different for a host. Returns what ends it. */
  onChange(listener: (host: string) => void): () => void
}

/** The properties of an image that are there. The order of a list counts, as in Nova. */
export function propertiesIn(
  properties: Readonly<Record<string, string | number | readonly string[] | undefined>>,
): readonly { readonly name: string; readonly text: string }[] {
  return Object.entries(properties).flatMap(([name, value]) =>
    value === undefined ? [] : { name, text: `${name}=${String(value)}` },
  )
}

/** An instance's image, and the hosts where it counts. */
interface Places {
  readonly image: string
  readonly hosts: readonly string[]
}

const NOWHERE: Places = { image: '', hosts: [] }

/**
 * Counts on each host the instances of each image, by what their images are now. Nova reads the properties that were copied
 * to the instance instead.
 */
export class InstanceImages implements ImageUsage {
  readonly #instances: Informer<Instance>
  readonly #images: Informer<Image>
  /** Host → image → instances. */
  readonly #counts = new Map<string, Map<string, number>>()
  readonly #listeners = new Set<(host: string) => void>()
  #unsubscribe: (() => void)[] = []

  constructor(deps: { readonly instances: Informer<Instance>; readonly images: Informer<Image> }) {
    this.#instances = deps.instances
    this.#images = deps.images
  }

  /** Begins to follow. The informers are started and stopped by whoever owns them. */
  start(): void {
    this.#unsubscribe = [
      this.#instances.onChange(({ object, old, type }) => {
        this.#move(old ? placesOf(old) : NOWHERE, type === 'deleted' ? NOWHERE : placesOf(object))
      }),
      this.#images.onChange(({ object: { metadata } }) => {
        for (const [host, counts] of this.#counts) if (counts.has(metadata.name)) this.#tell(host)
      }),
    ]
    for (const instance of this.#instances.store.list()) this.#move(NOWHERE, placesOf(instance))
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
  }

  on(host: string): ReadonlyMap<string, number> {
    const found = new Map<string, number>()
    for (const [image, count] of this.#counts.get(host) ?? []) {
      for (const { text } of propertiesIn({ ...this.#images.store.get(image)?.spec.properties })) {
        found.set(text, (found.get(text) ?? 0) + count)
      }
    }
    return found
  }

  onChange(listener: (host: string) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  #move(from: Places, to: Places): void {
    if (from.image === to.image && from.hosts.join() === to.hosts.join()) return
    for (const host of from.hosts) this.#count(host, from.image, -1)
    for (const host of to.hosts) this.#count(host, to.image, 1)
    for (const host of new Set([...from.hosts, ...to.hosts])) this.#tell(host)
  }

  #count(host: string, image: string, by: number): void {
    const counts = this.#counts.get(host) ?? new Map<string, number>()
    const count = (counts.get(image) ?? 0) + by
    if (count > 0) counts.set(image, count)
    else counts.delete(image)
    if (counts.size > 0) this.#counts.set(host, counts)
    else this.#counts.delete(host)
  }

  #tell(host: string): void {
    for (const listener of this.#listeners) listener(host)
  }
}

function placesOf(instance: Instance): Places {
  return { image: instance.spec.image, hosts: bookingsOf(instance).map(({ host }) => host) }
}
