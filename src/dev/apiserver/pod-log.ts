import { get } from 'node:https'
import { text as textOf } from 'node:stream/consumers'
import { get as valueAt, getObjects, getString, type JsonObject } from './json.ts'
import { collectionKey } from './resource.ts'
import { ApiError, badRequest, noSuchResource, notFound } from './status.ts'
import type { Store } from './store.ts'

const POD = { group: '', plural: 'pods', kind: 'Pod' }
const NODE = { group: '', plural: 'nodes', kind: 'Node' }

/** What of a query the kubelet is told. */
const OPTIONS = ['follow', 'limitBytes', 'previous', 'sinceSeconds', 'sinceTime', 'tailLines', 'timestamps']

/** Serves the logs of containers, as the real server does: the kubelet of the Pod's node has them. */
export class PodLogs {
  readonly #store: Store

  constructor(deps: { readonly store: Store }) {
    this.#store = deps.store
  }

  async read(namespace: string, name: string, query: URLSearchParams): Promise<string> {
    const pod = this.#find(POD, namespace, name)
    const container = containerOf(pod, name, query.get('container') ?? '')
    const nodeName = getString(pod, 'spec', 'nodeName') ?? ''
    // It is not scheduled: nothing has been said yet.
    if (nodeName === '') return ''
    const kubelet = kubeletOf(this.#find(NODE, '', nodeName))
    const url = new URL(`/containerLogs/${namespace}/${name}/${container}`, kubelet)
    for (const option of OPTIONS) {
      const value = query.get(option)
      if (value !== null) url.searchParams.set(option, value)
    }
    return ask(url)
  }

  #find(type: typeof POD, namespace: string, name: string): JsonObject {
    const stored = this.#store.collection(collectionKey(type)).get(namespace, name)
    if (!stored) throw notFound(type, name)
    return stored.object
  }
}

function containerOf(pod: JsonObject, name: string, wanted: string): string {
  const plain = getObjects(pod, 'spec', 'containers').map((one) => getString(one, 'name') ?? '')
  const first = getObjects(pod, 'spec', 'initContainers').map((one) => getString(one, 'name') ?? '')
  const [only = '', ...more] = plain
  if (wanted === '' && more.length === 0) return only
  if (wanted === '') {
    const choice = `choose one of: [${plain.join(' ')}]`
    const orInit = first.length > 0 ? ` or one of the init containers: [${first.join(' ')}]` : ''
    throw badRequest(`a container name must be specified for pod ${name}, ${choice}${orInit}`)
  }
  if ([...plain, ...first].includes(wanted)) return wanted
  throw badRequest(`container ${wanted} is not valid for pod ${name}`)
}

function kubeletOf(node: JsonObject): string {
  const addresses = getObjects(node, 'status', 'addresses')
  const internal = addresses.find((address) => getString(address, 'type') === 'InternalIP')
  const address = getString(internal, 'address')
  const port = valueAt(node, 'status', 'daemonEndpoints', 'kubeletEndpoint', 'Port')
  if (address !== undefined && typeof port === 'number') return `https://${address}:${port}`
  const why = 'no preferred addresses found; known addresses: []'
  throw new ApiError(500, 'InternalError', `Internal error occurred: ${why}`)
}

/** Who a kubelet is, is not asked here: it serves this machine alone, for development. */
async function ask(url: URL): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const request = get(url, { rejectUnauthorized: false, agent: false }, (response) => {
    const { statusCode = 500 } = response
    textOf(response).then((body) => {
      if (statusCode === 200) resolve(body)
      else reject(statusCode === 404 ? noSuchResource() : badRequest(body))
    }, reject)
  })
  request.on('error', ({ message }) => {
    reject(new ApiError(500, 'InternalError', `Get "${url.href}": ${message}`))
  })
  return promise
}
