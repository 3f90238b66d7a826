import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../../common/clock.ts'
import { messageOf } from '../../common/errors/message-of.ts'
import { isNotFound } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import { CONSOLE_CONTAINER, CREATED_BY_LABEL } from '../../virt/kubevirt/launcher-pod.ts'
import { POD, VIRTUAL_MACHINE_INSTANCE } from '../../virt/kubevirt/resources.ts'
import { consoleOf } from './console.ts'
import { guestNameOf } from './launchers.ts'
import { makeSelfSigned } from './self-signed.ts'

const LOGS = /^\/containerLogs\/([^/]+)\/([^/]+)\/([^/]+)$/

interface Answer {
  readonly code: number
  readonly text: string
}

/**
 * The kubelet of all simulated nodes, as far as an API server asks one: the logs of launcher Pods. It runs where the
 * API server does, and does not ask who comes.
 */
export class Kubelet {
  readonly #client: KubeClient
  readonly #clock: Clock
  #server: Server | undefined

  constructor(deps: { readonly client: KubeClient; readonly clock: Clock }) {
    this.#client = deps.client
    this.#clock = deps.clock
  }

  /** Answers the port it listens on. */
  async start(): Promise<number> {
    const { cert, key } = makeSelfSigned('kubelet', this.#clock.now())
    const server = createServer({ cert, key }, (request, response) => void this.#serve(request, response))
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    return (server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    const server = this.#server
    if (!server) return
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://kubelet')
    const answer = await this.#logOf(pathname).catch((error: unknown) => ({
      code: isNotFound(error) ? 404 : 500,
      text: messageOf(error),
    }))
    const text = answer.code === 200 ? tailOf(answer.text, searchParams.get('tailLines')) : answer.text
    response.writeHead(answer.code, { 'content-type': 'text/plain' })
    response.end(text)
  }

  async #logOf(path: string): Promise<Answer> {
    const [, namespace = '', name = '', container] = LOGS.exec(path) ?? []
    if (container === undefined) return { code: 404, text: '404 page not found' }
    const pod = await this.#client.get(POD, { namespace, name })
    if (container !== CONSOLE_CONTAINER) return { code: 200, text: '' }
    const vmi = await this.#client.get(VIRTUAL_MACHINE_INSTANCE, { namespace, name: guestNameOf(pod) })
    const isOurs = vmi.metadata.uid === pod.metadata.labels?.[CREATED_BY_LABEL]
    if (isOurs && vmi.status?.phase === 'Running') return { code: 200, text: consoleOf(vmi) }
    const waits = `container "${container}" in pod "${name}" is waiting to start: PodInitializing`
    return { code: 400, text: waits }
  }
}

function tailOf(text: string, lines: string | null): string {
  if (lines === null) return text
  const all = text.split('\n').slice(0, -1)
  const last = Number(lines) === 0 ? [] : all.slice(-Number(lines))
  return last.map((line) => `${line}\n`).join('')
}
