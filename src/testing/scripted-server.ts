import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request that a scripted server received and that the test answers. */
export class ScriptedRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly #response: ServerResponse

  constructor(request: IncomingMessage, body: string, response: ServerResponse) {
    const url = new URL(request.url ?? '/', 'http://server')
    this.method = request.method ?? ''
    this.path = url.pathname
    this.query = url.searchParams
    this.headers = request.headers
    this.body = body
    this.#response = response
  }

  get isWatch(): boolean {
    return this.query.get('watch') === 'true'
  }

  /** Whether the client has hung up. */
  get isGone(): boolean {
    return this.#response.destroyed
  }

  /** Answers at once. */
  answer(code: number, body: object, headers: Readonly<Record<string, string>> = {}): void {
    this.#response.writeHead(code, { 'content-type': 'application/json', ...headers })
    this.#response.end(JSON.stringify(body))
  }

  /** Answers with a Status as the API server does. */
  fail(code: number, reason: string, headers: Readonly<Record<string, string>> = {}): void {
    this.answer(
      code,
      { kind: 'Status', apiVersion: 'v1', code, reason, message: `scripted ${reason}` },
      headers,
    )
  }

  /** Answers a watch with events; it stays open. */
  send(...events: readonly object[]): void {
    this.write(...events.map((event) => `${JSON.stringify(event)}\n`))
  }

  /** Sends the bytes as they are, each argument in a chunk of its own; with none, only the headers. */
  write(...chunks: readonly (string | Uint8Array)[]): void {
    if (!this.#response.headersSent) {
      this.#response.writeHead(200, { 'content-type': 'application/json' })
      this.#response.flushHeaders()
    }
    for (const chunk of chunks) this.#response.write(chunk)
  }

  /** Ends the answer cleanly. */
  end(): void {
    this.#response.end()
  }

  /** Breaks the connection (TCP reset). */
  reset(): void {
    this.#response.socket?.resetAndDestroy()
  }
}

/** An HTTP server without a will of its own: the test takes each request and says what comes back. */
export class ScriptedServer {
  readonly #server: Server
  readonly #waiting: ScriptedRequest[] = []
  readonly #takers: ((request: ScriptedRequest) => void)[] = []

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () =>
        this.#arrived(new ScriptedRequest(request, Buffer.concat(chunks).toString(), response)),
      )
    })
  }

  static async start(): Promise<ScriptedServer> {
    const server = new ScriptedServer()
    await new Promise<void>((resolve) => {
      server.#server.listen(0, '127.0.0.1', resolve)
    })
    return server
  }

  get url(): string {
    const address = this.#server.address()
    if (!isTcp(address)) throw new Error('the server does not listen')
    return `http://127.0.0.1:${address.port}`
  }

  /** How many requests nobody has taken yet. */
  get backlog(): number {
    return this.#waiting.length
  }

  /** The next request, in the order of arrival. */
  async next(): Promise<ScriptedRequest> {
    const first = this.#waiting.shift()
    if (first) return first
    return new Promise((resolve) => {
      this.#takers.push(resolve)
    })
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
    this.#server.closeAllConnections()
    await closed
  }

  #arrived(request: ScriptedRequest): void {
    const taker = this.#takers.shift()
    if (taker) taker(request)
    else this.#waiting.push(request)
  }
}

function isTcp(address: string | AddressInfo | null): address is AddressInfo {
  return typeof address === 'object' && address !== null
}
