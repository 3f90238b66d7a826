import { z } from 'zod'
import { SystemClock } from '../../src/common/clock.ts'
import { RandomIds } from '../../src/common/ids.ts'
import { loggerTo } from '../../src/common/log.ts'
import { serveComputeQueues } from '../../src/conductor/compute-queues.ts'
import { CONDUCTOR_RPC_VERSION, ConductorRpcApi } from '../../src/conductor/rpcapi.ts'
import { RpcClient } from '../../src/rpc/client.ts'
import { defineMethod } from '../../src/rpc/method.ts'
import { NatsTransport } from '../../src/rpc/nats-transport.ts'
import { natsServersOf } from '../../src/rpc/nats-url.ts'
import { describeSender, type Sender } from '../../src/rpc/sender.ts'
import { RpcServer } from '../../src/rpc/server.ts'
import type { Target } from '../../src/rpc/target.ts'

const WORK = defineMethod({ name: 'work', version: '1.0', args: z.string(), result: z.string() })
const CONTEXT = { requestId: 'req-1', user: '-', project: '-' }
const CALL_TIMEOUT_MS = 10_000
const clock = new SystemClock()

/** What each service takes, as in src/cmd. */
const TAKES = {
  scheduler: { calls: false },
  conductor: { casts: false, fanouts: false },
  compute: { calls: false, fanouts: false },
} as const

/** A client of NATS as one of our services is one: it sends, takes and answers, and keeps what it logged. */
export class Peer {
  readonly transport: NatsTransport
  readonly lines: string[] = []
  /** `cast from api: hello`, in the order they came. */
  readonly heard: string[] = []
  readonly sender: Sender
  readonly tokenFile: string
  readonly #rpc: RpcClient
  readonly #log = loggerTo((line) => this.lines.push(line), { format: 'text', level: 'debug' })
  #server: RpcServer | undefined

  constructor(
    url: string,
    sender: Sender,
    options: { readonly tokenFile: string; readonly caFile: string; readonly replicas?: number },
  ) {
    const { replicas = 1, ...files } = options
    this.sender = sender
    this.tokenFile = files.tokenFile
    const own = { sender, files, replicas, ackWaitMs: 2000 }
    this.transport = new NatsTransport({ log: this.#log, clock }, { ...natsServersOf(url), ...own })
    this.#rpc = new RpcClient(
      { transport: this.transport, clock, ids: new RandomIds() },
      { callTimeoutMs: CALL_TIMEOUT_MS },
    )
  }

  get isConnected(): boolean {
    return this.transport.status === 'connected'
  }

  /** How often it has connected. */
  get connections(): number {
    return this.lines.filter((line) => line.includes('Connected to the message broker')).length
  }

  /** Whether it could not come in at its first try: refused, or not answered. */
  get hasWaited(): boolean {
    return this.lines.some((line) => line.includes('Waiting for the message broker'))
  }

  /** How often it has said that the broker refuses it. */
  get refusals(): number {
    return this.lines.filter((line) => line.includes('the broker refused our credentials')).length
  }

  /** Resolves when it takes what is its service's to take. */
  async serve(): Promise<void> {
    const { service } = this.sender
    if (service === 'api' || service === 'check') return this.transport.connect()
    const target = service === 'compute' ? { topic: service, host: this.sender.host } : { topic: service }
    const deps = { transport: this.transport, clock, log: this.#log }
    const conductor = new ConductorRpcApi({ rpc: this.#rpc })
    this.#server = new RpcServer(deps, {
      target,
      version: CONDUCTOR_RPC_VERSION,
      ...TAKES[service],
      ...(service === 'compute' && { declareQueue: () => conductor.computeQueueDeclare(CONTEXT) }),
    })
    if (service === 'conductor') serveComputeQueues(this.#server, this.transport)
    this.#server.handle(WORK, async (_ctx, word, { kind, sender }) => {
      this.heard.push(`${kind} from ${describeSender(sender)}: ${word}`)
      return `${word} yourself`
    })
    return this.#server.start()
  }

  cast(target: Target, word: string): Promise<void> {
    return this.#rpc.cast(CONTEXT, target, WORK, word)
  }

  call(target: Target, word: string): Promise<string> {
    return this.#rpc.call(CONTEXT, target, WORK, word)
  }

  fanout(topic: string, word: string): Promise<void> {
    return this.#rpc.fanout(CONTEXT, topic, WORK, word)
  }

  async stop(): Promise<void> {
    await this.#server?.stop()
    await this.transport.close()
  }
}
