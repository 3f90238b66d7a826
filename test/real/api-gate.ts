import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Agent, request } from 'node:https'
import { buffer } from 'node:stream/consumers'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { once } from 'node:events'
import { stringify } from 'yaml'
import { type KubeConfig, loadKubeConfig } from '../../src/kube/kube-config.ts'
import { makeFolder, removeFolder } from './parts/folder.ts'
import { freePort } from './parts/ports.ts'

/**
 * The way of one client to an API server, on which writes can be held up as in a slow network: they arrive when they are let
 * go, even where their sender has given them up.
 */
export class ApiGate {
  readonly #folder = makeFolder('api-gate')
  readonly #upstream: KubeConfig
  readonly #agent: Agent
  readonly #server: Server
  #held: PromiseWithResolvers<void> | undefined
  /** How many writes are held up. */
  waiting = 0
  /** For the client. */
  readonly kubeconfigPath = join(this.#folder, 'kubeconfig')

  private constructor(upstream: KubeConfig) {
    this.#upstream = upstream
    this.#agent = new Agent({
      keepAlive: true,
      ...(upstream.tls?.ca !== undefined && { ca: upstream.tls.ca }),
    })
    this.#server = createServer((incoming, response) => void this.#pass(incoming, response))
  }

  /** Whoever comes through it is who that kubeconfig says. */
  static async start(kubeconfigPath: string): Promise<ApiGate> {
    const gate = new ApiGate(loadKubeConfig({ path: kubeconfigPath }))
    const port = await freePort()
    gate.#server.listen(port, '127.0.0.1')
    await once(gate.#server, 'listening')
    const named = { name: 'gate', cluster: { server: `http://127.0.0.1:${port}` } }
    const context = { name: 'gate', context: { cluster: 'gate' } }
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'gate',
      clusters: [named],
      contexts: [context],
    }
    writeFileSync(gate.kubeconfigPath, stringify(config))
    return gate
  }

  /** From now on writes wait. What is read passes. */
  hold(): void {
    this.#held ??= Promise.withResolvers()
  }

  /** All that wait go on at once. */
  release(): void {
    this.#held?.resolve()
    this.#held = undefined
  }

  async stop(): Promise<void> {
    this.release()
    this.#server.closeAllConnections()
    this.#server.close()
    this.#agent.destroy()
    removeFolder(this.#folder)
  }

  async #pass(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = incoming
    const isWrite = method !== 'GET'
    const body = await buffer(incoming)
    if (isWrite && this.#held) {
      this.waiting++
      await this.#held.promise
      this.waiting--
    }
    const { server, user } = this.#upstream
    const outgoing = request(
      new URL(url, server),
      {
        method,
        agent: this.#agent,
        headers: { ...headers, ...(user?.kind === 'static' && user.headers), host: new URL(server).host },
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        response.flushHeaders()
        answer.pipe(response)
      },
    )
    outgoing.on('error', () => response.destroy())
    // A watch ends with its client.
    if (!isWrite) response.on('close', () => outgoing.destroy())
    outgoing.end(body)
  }
}
