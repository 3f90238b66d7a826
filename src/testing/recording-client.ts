import type { KubeClient } from '../kube/client.ts'
import type { HttpKubeClient } from '../kube/http-client.ts'
import type { KubeObject, ResourceType } from '../kube/resource.ts'

const WRITES = ['create', 'replace', 'mergePatch', 'jsonPatch', 'delete'] as const

/** Notes each write as `verb plural` (`PUT subresource`) in `writes`, and lets it through. */
export function recordWrites<C extends HttpKubeClient>(client: C, writes: string[]): C {
  const inner: KubeClient = client
  for (const verb of WRITES) {
    const send = inner[verb].bind(client) as (...args: readonly unknown[]) => Promise<unknown>
    Object.assign(client, {
      [verb]: async (type: ResourceType<KubeObject>, ...rest: readonly unknown[]) => {
        writes.push(`${verb} ${type.plural}`)
        return send(type, ...rest)
      },
    })
  }
  const request = client.request.bind(client)
  client.request = async (method, path, body) => {
    writes.push(`${method} ${path.slice(path.lastIndexOf('/') + 1)}`)
    return request(method, path, body)
  }
  return client
}
