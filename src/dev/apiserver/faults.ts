import type { Verb } from './request.ts'

/** What is known of a request when a fault may strike it. */
export interface RequestInfo {
  readonly verb: Verb
  readonly group: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  readonly userAgent: string
}

/** Chooses requests: by the fields given (all must agree), or by a function. */
export type RequestMatcher = Partial<RequestInfo> | ((request: RequestInfo) => boolean)

/** What befalls a request. */
export type Fault =
  | { readonly kind: 'refuse'; readonly statusCode: number }
  /** The connection is cut before the request is looked at. */
  | { readonly kind: 'cut' }
  /** The request is carried out, then the connection is cut: the client cannot know. */
  | { readonly kind: 'loseAnswer' }
  | { readonly kind: 'delay'; readonly ms: number }

interface Armed {
  readonly matches: (request: RequestInfo) => boolean
  readonly fault: Fault
  left: number
}

/** Breaks requests on purpose. Every method returns a function that disarms the fault. */
export class Faults {
  readonly #armed = new Set<Armed>()

  /** Answers matching requests with this status code, `times` times. */
  refuse(matcher: RequestMatcher, statusCode: number, times = Number.POSITIVE_INFINITY): () => void {
    return this.#arm(matcher, { kind: 'refuse', statusCode }, times)
  }

  /** Cuts the connection of matching requests before they do anything. */
  cut(matcher: RequestMatcher, times = Number.POSITIVE_INFINITY): () => void {
    return this.#arm(matcher, { kind: 'cut' }, times)
  }

  /** Carries matching requests out and then cuts the connection instead of answering. */
  loseAnswer(matcher: RequestMatcher, times = Number.POSITIVE_INFINITY): () => void {
    return this.#arm(matcher, { kind: 'loseAnswer' }, times)
  }

  /** Lets matching requests wait before they are carried out. */
  delay(matcher: RequestMatcher, ms: number, times = Number.POSITIVE_INFINITY): () => void {
    return this.#arm(matcher, { kind: 'delay', ms }, times)
  }

  /** Disarms everything. */
  clear(): void {
    this.#armed.clear()
  }

  /** The faults that strike this request now; each is used up by one. */
  take(request: RequestInfo): Fault[] {
    const struck: Fault[] = []
    for (const armed of this.#armed) {
      if (!armed.matches(request)) continue
      struck.push(armed.fault)
      armed.left--
      if (armed.left <= 0) this.#armed.delete(armed)
    }
    return struck
  }

  #arm(matcher: RequestMatcher, fault: Fault, times: number): () => void {
    const armed: Armed = { matches: toPredicate(matcher), fault, left: times }
    this.#armed.add(armed)
    return () => void this.#armed.delete(armed)
  }
}

function toPredicate(matcher: RequestMatcher): (request: RequestInfo) => boolean {
  if (typeof matcher === 'function') return matcher
  const wanted = Object.entries(matcher)
  return (request) => wanted.every(([key, value]) => request[key as keyof RequestInfo] === value)
}
