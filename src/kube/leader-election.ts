import type { Clock, Timer } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { Logger } from '../common/log.ts'
import { isAlreadyExists, isConflict, isNotFound } from './api-error.ts'
import type { KubeClient } from './client.ts'
import { heldBy, LEASE, type Lease, newLease, released } from './lease.ts'

export interface LeaderElectionOptions {
  readonly namespace: string
  /** The Lease's name: one for each thing that only one process may do. */
  readonly name: string
  /** This process. Must differ from every other one's, also from its own predecessor's. */
  readonly identity: string
  /** How long others leave a lease alone that is not renewed. */
  readonly leaseDurationMs?: number | undefined
  /** How long a leader goes on without a renewal. Less than `leaseDurationMs`. */
  readonly renewDeadlineMs?: number | undefined
  readonly retryPeriodMs?: number | undefined
  /** Told at once when leadership begins and ends. */
  readonly onChange?: ((isLeader: boolean) => void) | undefined
}

/** Spreads the tries of those who wait: up to 2.2 periods, as client-go does. */
const JITTER = 1.2
const RELEASE_TIMEOUT_MS = 5_000

/** One time as leader, from a won lease to its end. */
interface Term {
  /** Aborted when the leader must stop: the lease is lost, or the process stops. */
  readonly leading: AbortController
  /** Aborted when the lease is no longer ours. */
  readonly lost: AbortController
}

/**
 * Elects one leader among processes through a Lease, with client-go's rules: a lease has run out when this
 * process has seen no change to it for its duration (nobody's clock is compared with another's), and all writes
 * are conditional. A lease is no lock: what a leader writes must be harmless when it comes late.
 */
export class LeaderElector {
  readonly #client: KubeClient
  readonly #clock: Clock
  readonly #log: Logger
  readonly #random: () => number
  readonly #options: LeaderElectionOptions
  readonly #durationMs: number
  readonly #deadlineMs: number
  readonly #periodMs: number
  /** The lease as last read or written, and whether it has run out since it last changed. */
  #observed: { lease: Lease; readonly timer: Timer; hasRunOut: boolean } | undefined
  /** Set before each try, so that it runs from before the server saw the renewal; fires when it is overdue. */
  #deadline: { readonly timer: Timer; isOver: boolean } | undefined
  #term: Term | undefined
  #hasComplained = false

  constructor(
    deps: {
      readonly client: KubeClient
      readonly clock: Clock
      readonly log: Logger
      readonly random?: (() => number) | undefined
    },
    options: LeaderElectionOptions,
  ) {
    this.#client = deps.client
    this.#clock = deps.clock
    this.#log = deps.log
    this.#random = deps.random ?? Math.random
    this.#options = options
    this.#durationMs = options.leaseDurationMs ?? 15_000
    this.#deadlineMs = options.renewDeadlineMs ?? 10_000
    this.#periodMs = options.retryPeriodMs ?? 2_000
    if (this.#deadlineMs >= this.#durationMs || this.#periodMs * JITTER >= this.#deadlineMs) {
      throw new RangeError('a lease needs retryPeriodMs * 1.2 < renewDeadlineMs < leaseDurationMs')
    }
  }

  /** Whether this process leads now and has not been told to stop. */
  isLeader(): boolean {
    return this.#term !== undefined && !this.#term.leading.signal.aborted
  }

  /**
   * Competes until `stop` is aborted; calls `lead` for each term. Its signal is aborted before anybody else can
   * lead. A term ends when `lead` has settled; its own error is logged. On `stop` the lease is kept until
   * `lead` has settled, then released. Never rejects.
   */
  async run(lead: (signal: AbortSignal) => Promise<void>, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      if (await this.#try(stop)) await this.#lead(lead, stop)
      const waitMs = this.#periodMs * (1 + this.#random() * JITTER)
      await this.#clock.sleep(waitMs, stop).catch(() => undefined)
    }
    this.#observed?.timer.cancel()
    this.#observed = undefined
  }

  async #lead(lead: (signal: AbortSignal) => Promise<void>, stop: AbortSignal): Promise<void> {
    const term: Term = { leading: new AbortController(), lost: new AbortController() }
    this.#term = term
    const onStop = (): void => this.#endLeading(term, 'stopping')
    const over = new AbortController()
    this.#say('Became the leader')
    this.#options.onChange?.(true)
    stop.addEventListener('abort', onStop, { once: true })
    if (stop.aborted) onStop()
    if (this.#deadline?.isOver) this.#lose(term, 'not renewed in time')

    const work = this.#runLead(lead, term.leading.signal).finally(() => over.abort())
    await this.#keep(term, over.signal)
    await work
    stop.removeEventListener('abort', onStop)
    this.#endLeading(term, 'its work ended')
    this.#deadline?.timer.cancel()
    this.#deadline = undefined
    if (!term.lost.signal.aborted) await this.#release()
    this.#term = undefined
  }

  async #runLead(lead: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await lead(signal)
    } catch (error) {
      if (!signal.aborted)
        this.#log.error("The leader's work failed", { ...this.#facts(), error: messageOf(error) })
    }
  }

  /** Renews until the work is over or the lease is lost. */
  async #keep(term: Term, over: AbortSignal): Promise<void> {
    const end = AbortSignal.any([over, term.lost.signal])
    while (!end.aborted) {
      await this.#clock.sleep(this.#periodMs, end).catch(() => undefined)
      if (end.aborted) return
      const isHeld = await this.#try(term.lost.signal)
      const holder = this.#observed?.lease.spec?.holderIdentity
      if (!isHeld && holder !== this.#options.identity) this.#lose(term, 'taken or deleted by another')
    }
  }

  /** Ends the term because the lease is no longer ours, or can be another's soon. */
  #lose(term: Term, why: string): void {
    if (term.lost.signal.aborted) return
    this.#endLeading(term, why)
    term.lost.abort(new Error(`the lease ${this.#options.name} was lost: ${why}`))
  }

  #endLeading(term: Term, why: string): void {
    if (term.leading.signal.aborted) return
    term.leading.abort(new Error(`no longer the leader: ${why}`))
    this.#say('No longer the leader', { why })
    this.#options.onChange?.(false)
  }

  /** One attempt to take or renew the lease. Answers whether it succeeded; never rejects. */
  async #try(signal: AbortSignal): Promise<boolean> {
    const deadline = this.#startDeadline()
    try {
      const isHeld = await this.#write(signal)
      this.#hasComplained = false
      if (!isHeld || deadline.isOver) {
        deadline.timer.cancel()
        return false
      }
      this.#deadline?.timer.cancel()
      this.#deadline = deadline
      return true
    } catch (error) {
      deadline.timer.cancel()
      if (!signal.aborted) this.#complain(error)
      return false
    }
  }

  #startDeadline(): { readonly timer: Timer; isOver: boolean } {
    const timer = this.#clock.after(this.#deadlineMs, () => {
      deadline.isOver = true
      if (this.#term && this.#deadline === deadline) this.#lose(this.#term, 'not renewed in time')
    })
    const deadline = { timer, isOver: false }
    return deadline
  }

  async #write(signal: AbortSignal): Promise<boolean> {
    const { namespace, name, identity } = this.#options
    const claim = (): Parameters<typeof heldBy>[1] => ({
      identity,
      durationMs: this.#durationMs,
      nowMs: this.#clock.now(),
    })
    try {
      const isOurs = this.#observed?.lease.spec?.holderIdentity === identity
      // A leader knows its lease and saves the read.
      const lease = this.#observed && isOurs && this.#term ? this.#observed.lease : await this.#read(signal)
      if (!lease) {
        this.#observe(await this.#client.create(LEASE, newLease({ namespace, name }, claim()), { signal }))
        return true
      }
      if (!this.#isFree(lease)) return false
      this.#observe(await this.#client.replace(LEASE, heldBy(lease, claim()), { signal }))
      return true
    } catch (error) {
      if (isNotFound(error) && this.#observed) this.#forget()
      else if (!isConflict(error) && !isAlreadyExists(error)) throw error
      // Somebody else was quicker, or wrote a label: look who holds it now.
      await this.#read(signal)
      return false
    }
  }

  async #read(signal: AbortSignal): Promise<Lease | undefined> {
    const { namespace, name } = this.#options
    try {
      const lease = await this.#client.get(LEASE, { namespace, name }, { signal })
      this.#observe(lease)
      return lease
    } catch (error) {
      if (!isNotFound(error)) throw error
      this.#forget()
      return undefined
    }
  }

  #isFree(lease: Lease): boolean {
    const holder = lease.spec?.holderIdentity ?? ''
    return holder === '' || holder === this.#options.identity || this.#observed?.hasRunOut === true
  }

  /** Remembers the lease; its time runs anew when it was renewed or taken since. */
  #observe(lease: Lease): void {
    const before = this.#observed
    if (before && JSON.stringify(before.lease.spec) === JSON.stringify(lease.spec)) {
      before.lease = lease
      return
    }
    before?.timer.cancel()
    const durationMs = (lease.spec?.leaseDurationSeconds ?? this.#durationMs / 1000) * 1000
    const timer = this.#clock.after(durationMs, () => {
      observed.hasRunOut = true
    })
    const observed = { lease, timer, hasRunOut: false }
    this.#observed = observed
  }

  #forget(): void {
    this.#observed?.timer.cancel()
    this.#observed = undefined
  }

  async #release(): Promise<void> {
    const lease = this.#observed?.lease
    if (lease?.spec?.holderIdentity !== this.#options.identity) return
    const limit = new AbortController()
    const timer = this.#clock.after(RELEASE_TIMEOUT_MS, () => limit.abort(new Error('took too long')))
    try {
      const free = released(lease, this.#clock.now())
      this.#observe(await this.#client.replace(LEASE, free, { signal: limit.signal }))
    } catch (error) {
      // It runs out by itself.
      this.#log.debug('Could not release the lease', { ...this.#facts(), error: messageOf(error) })
    } finally {
      timer.cancel()
    }
  }

  #complain(error: unknown): void {
    const facts = { ...this.#facts(), error: messageOf(error) }
    if (this.#hasComplained) this.#log.debug('Still cannot take or renew the lease', facts)
    else this.#log.warn('Cannot take or renew the lease; trying again', facts)
    this.#hasComplained = true
  }

  #say(message: string, facts: Readonly<Record<string, unknown>> = {}): void {
    this.#log.info(message, { ...this.#facts(), ...facts })
  }

  #facts(): Readonly<Record<string, unknown>> {
    return { lease: this.#options.name, identity: this.#options.identity }
  }
}
