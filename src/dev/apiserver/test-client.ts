import { Buffer } from 'node:buffer'
import type { Json, JsonObject } from './json.ts'
import { get, textOf } from './json.ts'
import { ApiServer, type ApiServerOptions } from './server.ts'

/** A CRD with one of everything, for the tests. */
export const WIDGET_CRD: JsonObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.test.dev' },
  spec: {
    group: 'test.dev',
    scope: 'Namespaced',
    names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        selectableFields: [{ jsonPath: '.status.host' }],
        additionalPrinterColumns: [
          { name: 'Flavor', type: 'string', jsonPath: '.spec.flavor' },
          { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
          { name: 'Host', type: 'string', jsonPath: '.status.host', priority: 1 },
          { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
        ],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            description: 'A widget.',
            required: ['spec'],
            'x-kubernetes-validations': [
              {
                rule: "!(has(self.status) && has(self.status.state) && self.status.state == 'paused' && self.spec.power == 'Off')",
                messageExpression:
                  '"Cannot \'stop\' " + self.metadata.name + " while it is in state " + self.status.state',
                reason: 'FieldValueForbidden',
                fieldPath: '.spec.power',
              },
            ],
            properties: {
              spec: {
                type: 'object',
                required: ['flavor'],
                properties: {
                  flavor: {
                    type: 'string',
                    minLength: 1,
                    maxLength: 10,
                    'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'flavor is immutable' }],
                  },
                  power: { type: 'string', enum: ['On', 'Off'], default: 'On' },
                  size: { type: 'integer', minimum: 1, maximum: 10 },
                  name: { type: 'string', pattern: '^[a-z]+$' },
                  when: { type: 'string', format: 'date-time' },
                  port: { 'x-kubernetes-int-or-string': true },
                  note: { type: 'string', nullable: true },
                  tags: {
                    type: 'array',
                    maxItems: 2,
                    'x-kubernetes-list-type': 'set',
                    items: { type: 'string' },
                  },
                  labels: { type: 'object', additionalProperties: { type: 'string', maxLength: 3 } },
                  free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                  nets: {
                    type: 'array',
                    items: { type: 'object', properties: { ip: { type: 'string', default: 'auto' } } },
                  },
                },
              },
              status: {
                type: 'object',
                default: { state: 'new' },
                properties: {
                  state: { type: 'string' },
                  host: { type: 'string' },
                  conditions: {
                    type: 'array',
                    items: {
                      type: 'object',
                      properties: { type: { type: 'string' }, status: { type: 'string' } },
                    },
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
}

export const WIDGETS = '/apis/test.dev/v1/namespaces/default/widgets'

/** A widget with this spec; a flavor is filled in. */
export function widget(name: string, spec: JsonObject = {}, metadata: JsonObject = {}): JsonObject {
  return {
    apiVersion: 'test.dev/v1',
    kind: 'Widget',
    metadata: { name, ...metadata },
    spec: { flavor: 'a', ...spec },
  }
}

/** An answer, with its body parsed. */
export interface Answer {
  readonly code: number
  readonly body: JsonObject
  readonly headers: Headers
}

/** Talks to the server over HTTP as any client does. */
export class TestClient {
  readonly #server: ApiServer

  constructor(server: ApiServer) {
    this.#server = server
  }

  async send(
    method: string,
    path: string,
    body?: Json,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(this.#server.url + path, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return {
      code: response.status,
      body: text ? (JSON.parse(text) as JsonObject) : {},
      headers: response.headers,
    }
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('GET', path, undefined, headers)
  }

  create(object: JsonObject, query = '', path = WIDGETS): Promise<Answer> {
    return this.send('POST', path + query, object)
  }

  patch(name: string, patch: Json, query = ''): Promise<Answer> {
    return this.send('PATCH', `${WIDGETS}/${name}${query}`, patch, {
      'content-type': 'application/merge-patch+json',
    })
  }

  delete(name: string, options?: JsonObject): Promise<Answer> {
    return this.send('DELETE', `${WIDGETS}/${name}`, options)
  }

  async watch(query: string, path = WIDGETS, headers: Record<string, string> = {}): Promise<TestWatch> {
    const abort = new AbortController()
    const response = await fetch(`${this.#server.url}${path}?watch=true&${query}`, {
      headers,
      signal: abort.signal,
    })
    return new TestWatch(response, abort)
  }
}

/** A watch event as it came over the wire. */
export interface WireEvent {
  readonly type: string
  readonly object: JsonObject
}

/** An open watch, read event by event. */
export class TestWatch {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #abort: AbortController
  #buffer = ''

  constructor(response: Response, abort: AbortController) {
    if (!response.body) throw new Error('the watch has no body')
    this.#reader = response.body.getReader()
    this.#abort = abort
  }

  /** The next event; undefined when the server ended the stream. */
  async next(): Promise<WireEvent | undefined> {
    for (;;) {
      const end = this.#buffer.indexOf('\n')
      if (end >= 0) {
        const line = this.#buffer.slice(0, end)
        this.#buffer = this.#buffer.slice(end + 1)
        return JSON.parse(line) as WireEvent
      }
      const { done, value } = await this.#reader.read()
      if (done) return undefined
      this.#buffer += Buffer.from(value).toString('utf8')
    }
  }

  /** Type and name of the next `count` events. */
  async take(count: number): Promise<string[]> {
    const seen: string[] = []
    while (seen.length < count) {
      const event = await this.next()
      if (!event) break
      seen.push(`${event.type} ${textOf(get(event.object, 'metadata', 'name'))}`.trim())
    }
    return seen
  }

  close(): void {
    this.#abort.abort()
  }
}

/** A started server with the widget CRD, and a client of it. */
export async function startServer(
  options: ApiServerOptions = {},
): Promise<{ readonly server: ApiServer; readonly client: TestClient }> {
  const server = new ApiServer({}, { crds: [WIDGET_CRD], ...options })
  await server.start()
  return { server, client: new TestClient(server) }
}
