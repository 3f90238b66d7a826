import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { Logger } from '../common/log.ts'

/** The files that a server reads its certificates from. */
export interface CertificateFiles {
  /** `content` is another when any of them changed, which was at `changedMs`. */
  read(): Promise<{ readonly content: string; readonly changedMs: number }>
}

export interface ReloadableServer {
  /** When it read its configuration, and with it its certificates, in milliseconds since the epoch. */
  loadedMs(): Promise<number>
  /** Has it read them anew. */
  reload(): Promise<void>
}

/**
 * Has a server read its certificates anew when their files have changed. It may be started at any time: what changed
 * before it came, and after the server read it, is seen too.
 */
export class NatsReloader {
  readonly #files: CertificateFiles
  readonly #server: ReloadableServer
  readonly #clock: Clock
  readonly #log: Logger
  readonly #intervalMs: number
  /** What the server has read. */
  #loaded: string | undefined
  #complaint: string | undefined

  constructor(
    deps: {
      readonly files: CertificateFiles
      readonly server: ReloadableServer
      readonly clock: Clock
      readonly log: Logger
    },
    options: { readonly intervalMs: number },
  ) {
    this.#files = deps.files
    this.#server = deps.server
    this.#clock = deps.clock
    this.#log = deps.log
    this.#intervalMs = options.intervalMs
  }

  /** Looks again and again until it is told to stop. A server that is not there yet is waited for. */
  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      await this.#look()
      await this.#clock.sleep(this.#intervalMs, stop).catch(() => undefined)
    }
  }

  async #look(): Promise<void> {
    try {
      await this.#reloadIfChanged()
      this.#complaint = undefined
    } catch (error) {
      const reason = messageOf(error)
      if (reason !== this.#complaint) this.#log.warn('Cannot look after the certificates yet', { reason })
      this.#complaint = reason
    }
  }

  async #reloadIfChanged(): Promise<void> {
    const { content, changedMs } = await this.#files.read()
    if (content === this.#loaded) return
    if (this.#loaded !== undefined || changedMs >= (await this.#server.loadedMs())) {
      await this.#server.reload()
      this.#log.info('Told NATS to read its certificates anew', {
        changed: new Date(changedMs).toISOString(),
      })
    }
    this.#loaded = content
  }
}
