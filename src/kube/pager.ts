import { isGone } from './api-error.ts'
import type { KubeClient, KubeList, ListOptions } from './client.ts'
import type { KubeObject, ResourceType } from './resource.ts'

const PAGE = 500

/**
 * Lists everything, in pages that a big cluster's server can afford. When the pages take so long that their
 * snapshot expires, lists once more in one piece.
 */
export async function listAll<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  options: ListOptions = {},
): Promise<{ readonly items: T[]; readonly resourceVersion: string }> {
  const items: T[] = []
  let page: KubeList<T> = await client.list(type, { ...options, limit: PAGE })
  // The first page's version: if a later page should be of a newer one, its changes are simply watched again.
  const { resourceVersion } = page
  for (;;) {
    for (const item of page.items) items.push(item)
    if (page.continue === undefined) return { items, resourceVersion }
    try {
      page = await client.list(type, { ...options, limit: PAGE, continue: page.continue })
    } catch (error) {
      if (!isGone(error)) throw error
      return client.list(type, options)
    }
  }
}
