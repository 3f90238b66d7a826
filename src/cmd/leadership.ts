import type { Clock } from '../common/clock.ts'
import type { Logger } from '../common/log.ts'
import type { KubeClient } from '../kube/client.ts'
import { LeaderElector } from '../kube/leader-election.ts'

/** A service's part in the election of its leader, from its start to its stop. */
export class Leadership {
  readonly #elector: LeaderElector
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined
  #isLeading = false

  constructor(
    deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger },
    options: {
      readonly lease: string
      readonly namespace: string
      readonly identity: string
      /** How long the others wait for a leader that fell silent. */
      readonly durationMs: number
    },
  ) {
    const { durationMs } = options
    this.#elector = new LeaderElector(
      { ...deps, log: deps.log.named('nova.leader') },
      {
        namespace: options.namespace,
        name: options.lease,
        identity: options.identity,
        leaseDurationMs: durationMs,
        // client-go's proportions: 15, 10 and 2 seconds.
        renewDeadlineMs: (durationMs * 2) / 3,
        retryPeriodMs: (durationMs * 2) / 15,
      },
    )
  }

  get isLeading(): boolean {
    return this.#isLeading
  }

  /** Competes from now on; `lead` is called for each term, and its signal ends it. */
  start(lead: (signal: AbortSignal) => Promise<void>): void {
    const term = async (signal: AbortSignal): Promise<void> => {
      this.#isLeading = true
      try {
        await lead(signal)
      } finally {
        this.#isLeading = false
      }
    }
    this.#running = this.#elector.run(term, this.#stop.signal)
  }

  /** Resolves when the work of the term has ended and the lease is given back. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }
}
