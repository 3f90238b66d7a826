import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Measured, RpcMeter } from '../rpc/meter.ts'
import type { Service } from './service.ts'

/** Of the handlers: a read by the conductor takes a millisecond, a guest some seconds, an image minutes. */
const SECONDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300]

/** What a service tells Prometheus: of its messages, whether it can work, whether it leads, and of its process. */
export class Metrics implements RpcMeter {
  readonly #registry = new Registry()
  readonly #messages: Counter<'kind' | 'method' | 'outcome'>
  readonly #seconds: Histogram<'kind' | 'method'>
  readonly #deadLetters: Counter<'method'>

  constructor(options: { readonly version: string }) {
    const registers = [this.#registry]
    this.#messages = new Counter({
      name: 'kilonova_rpc_messages_total',
      help: 'Messages a handler was given, by how that ended: done, refused (an error of ours), failed (a bug), unfit.',
      labelNames: ['kind', 'method', 'outcome'],
      registers,
    })
    this.#seconds = new Histogram({
      name: 'kilonova_rpc_seconds',
      help: 'How long handlers took.',
      labelNames: ['kind', 'method'],
      buckets: SECONDS,
      registers,
    })
    this.#deadLetters = new Counter({
      name: 'kilonova_rpc_dead_letters_total',
      help: 'Casts that were given up.',
      labelNames: ['method'],
      registers,
    })
    new Gauge({
      name: 'kilonova_build_info',
      help: 'The version that runs.',
      labelNames: ['version'],
      registers,
    }).set({ version: options.version }, 1)
    collectDefaultMetrics({ register: this.#registry })
  }

  handled({ kind, method, outcome, seconds }: Measured): void {
    this.#messages.inc({ kind, method, outcome })
    if (outcome !== 'unfit') this.#seconds.observe({ kind, method }, seconds)
  }

  gaveUp(method: string): void {
    this.#deadLetters.inc({ method })
  }

  /** Shows from now on whether a service can work and, where its likes have a leader, whether it is that. */
  follow(service: Pick<Service, 'isLeading' | 'gauges'>, isReady: () => boolean): void {
    const registers = [this.#registry]
    new Gauge({
      name: 'kilonova_ready',
      help: '1 while the service can work, as /readyz says it.',
      registers,
      collect() {
        this.set(isReady() ? 1 : 0)
      },
    })
    for (const { name, help, label, read } of service.gauges ?? []) {
      new Gauge({
        name,
        help,
        labelNames: [label],
        registers,
        collect() {
          this.reset()
          for (const [value, number] of read()) this.set({ [label]: value }, number)
        },
      })
    }
    const { isLeading } = service
    if (!isLeading) return
    new Gauge({
      name: 'kilonova_leader',
      help: '1 while this process leads its likes.',
      registers,
      collect() {
        this.set(isLeading() ? 1 : 0)
      },
    })
  }

  /** In Prometheus' text format. */
  async text(): Promise<{ readonly contentType: string; readonly body: string }> {
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() }
  }
}
