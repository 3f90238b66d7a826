import { channel } from 'node:diagnostics_channel'
import type { Counts } from './statistics.ts'

/**
 * A kind of write, as all our sources of counts name it: `POST instances`, `PATCH instances/status`. One that the
 * server refused has the code behind it: `PATCH instances/status 409`.
 */
export function writeName(verb: string, resource: string, subresource: string, code: number): string {
  const what = subresource === '' ? resource : `${resource}/${subresource}`
  return code < 400 ? `${verb} ${what}` : `${verb} ${what} ${code}`
}

export function isEvent(name: string): boolean {
  return name.endsWith(' events')
}

export function isLease(name: string): boolean {
  return /\bleases\b/.test(name)
}

const WRITE_VERBS: ReadonlySet<string> = new Set([
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'APPLY',
  'DELETECOLLECTION',
])

/** The writes in the API server's own metrics, since it began; lease renewals are left out. */
export function writesInMetrics(text: string): Counts {
  const counts: Record<string, number> = {}
  for (const [, labels = '', value = '0'] of text.matchAll(/^apiserver_request_total\{(.*)\} (\S+)$/gm)) {
    const label = Object.fromEntries(
      [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, word]) => [name, word]),
    )
    const { verb = '', resource = '', subresource = '', code } = label
    if (!WRITE_VERBS.has(verb)) continue
    const name = writeName(verb, resource, subresource, Number(code))
    if (!isLease(name)) counts[name] = (counts[name] ?? 0) + Number(value)
  }
  return counts
}

const PATH =
  /^\/apis?\/(?:[^/]+\/)??v[^/]+\/(?:namespaces\/[^/]+\/(?=[^/]))?([^/?]+)(?:\/[^/?]+(?:\/([^/?]+))?)?/

interface AnswerMessage {
  readonly request: { readonly method: string; readonly path: string }
  readonly response: { readonly statusCode: number }
}

/** Counts the writes that this process itself sends to API servers, from the answers it gets. */
export class OwnWrites {
  readonly #counts: Record<string, number> = {}

  constructor() {
    channel('undici:request:headers').subscribe((message) => this.#answered(message as AnswerMessage))
  }

  get counts(): Counts {
    return { ...this.#counts }
  }

  #answered({ request, response }: AnswerMessage): void {
    if (!WRITE_VERBS.has(request.method)) return
    const [, resource = '', subresource = ''] = PATH.exec(request.path) ?? []
    const name = writeName(request.method, resource, subresource, response.statusCode)
    this.#counts[name] = (this.#counts[name] ?? 0) + 1
  }
}
