import { describe, expect, it } from 'vitest'
import { ServiceStopping } from '../common/errors/unavailable.ts'
import { RandomIds } from '../common/ids.ts'
import { serviceContext } from '../common/context.ts'
import { StoppableDriver } from './stoppable-driver.ts'
import type { ComputeDriver, GuestInfo, OperationOptions, SpawnOptions } from '../virt/driver.ts'

const CTX = serviceContext(`req-${new RandomIds().uuid()}`)
const GUEST = { namespace: 'default', name: 'web', uid: 'uid-1' }
const SPEC = {
  ...GUEST,
  hostname: 'web',
  vcpus: 1,
  memoryMb: 512,
  diskGb: 1,
  disk: { kind: 'containerDisk', image: 'cirros' },
  properties: {},
} as const

/** A hypervisor on which everything takes for ever, unless it is given up. */
class SlowDriver implements ComputeDriver {
  readonly keepsGuestsPerHost = false
  begun = 0

  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  isReady(): boolean {
    return true
  }
  getAvailableResource(): Promise<never> {
    return Promise.reject(new Error('not asked'))
  }
  listInstances(): Promise<readonly GuestInfo[]> {
    return Promise.resolve([])
  }
  getInfo(): Promise<GuestInfo> {
    return Promise.resolve({ ...GUEST, powerState: 'NOSTATE', addresses: [] })
  }
  spawn(_ctx: unknown, _guest: unknown, options?: SpawnOptions): Promise<never> {
    return this.#untilGivenUp(options?.signal)
  }
  powerOff(_ctx: unknown, _guest: unknown, options: SpawnOptions): Promise<never> {
    return this.#untilGivenUp(options.signal)
  }
  powerOn(_ctx: unknown, _guest: unknown, options?: SpawnOptions): Promise<never> {
    return this.#untilGivenUp(options?.signal)
  }
  pause(_ctx: unknown, _guest: unknown, options?: OperationOptions): Promise<never> {
    return this.#untilGivenUp(options?.signal)
  }
  unpause(_ctx: unknown, _guest: unknown, options?: OperationOptions): Promise<never> {
    return this.#untilGivenUp(options?.signal)
  }
  suspend(_ctx: unknown, _guest: unknown, options?: OperationOptions): Promise<never> {
    return this.#untilGivenUp(options?.signal)
  }
  resume(_ctx: unknown, _guest: unknown, options?: OperationOptions): Promise<never> {
    return this.#untilGivenUp(options?.signal)
  }
  softReboot(_ctx: unknown, _guest: unknown, options?: OperationOptions): Promise<never> {
    return this.#untilGivenUp(options?.signal)
  }
  hardReboot(_ctx: unknown, _guest: unknown, options?: OperationOptions): Promise<never> {
    return this.#untilGivenUp(options?.signal)
  }
  rescue(_ctx: unknown, _guest: unknown, options?: OperationOptions): Promise<never> {
    return this.#untilGivenUp(options?.signal)
  }
  unrescue(_ctx: unknown, _guest: unknown, options?: OperationOptions): Promise<never> {
    return this.#untilGivenUp(options?.signal)
  }
  getConsoleOutput(): Promise<never> {
    return Promise.reject(new Error('not asked'))
  }
  destroy(): Promise<never> {
    return this.#untilGivenUp(undefined)
  }
  finishMigration(_ctx: unknown, _guest: unknown, options: SpawnOptions): Promise<never> {
    return this.#untilGivenUp(options.signal)
  }
  liveMigrate(_ctx: unknown, _guest: unknown, options: SpawnOptions): Promise<never> {
    return this.#untilGivenUp(options.signal)
  }
  snapshot(_ctx: unknown, _guest: unknown, options: SpawnOptions): Promise<never> {
    return this.#untilGivenUp(options.signal)
  }
  onLifecycleEvent(): () => void {
    return () => undefined
  }

  #untilGivenUp(signal: AbortSignal | undefined): Promise<never> {
    this.begun += 1
    const { promise, reject } = Promise.withResolvers<never>()
    signal?.addEventListener('abort', () => reject(signal.reason))
    return promise
  }
}

describe('a driver whose agent stops', () => {
  const cases: readonly {
    what: string
    work: (driver: ComputeDriver, signal?: AbortSignal) => Promise<unknown>
  }[] = [
    { what: 'spawn', work: (driver, signal) => driver.spawn(CTX, SPEC, { signal }) },
    {
      what: 'powerOff',
      work: (driver, signal) => driver.powerOff(CTX, GUEST, { timeoutMs: 60_000, signal }),
    },
    { what: 'powerOn', work: (driver, signal) => driver.powerOn(CTX, GUEST, { signal }) },
    { what: 'pause', work: (driver, signal) => driver.pause(CTX, GUEST, { signal }) },
    { what: 'unpause', work: (driver, signal) => driver.unpause(CTX, GUEST, { signal }) },
    { what: 'suspend', work: (driver, signal) => driver.suspend(CTX, GUEST, { signal }) },
    { what: 'resume', work: (driver, signal) => driver.resume(CTX, GUEST, { signal }) },
    { what: 'hardReboot', work: (driver, signal) => driver.hardReboot(CTX, GUEST, { signal }) },
    {
      what: 'softReboot',
      work: (driver, signal) => driver.softReboot(CTX, GUEST, { timeoutMs: 60_000, signal }),
    },
    { what: 'rescue', work: (driver, signal) => driver.rescue(CTX, GUEST, { disk: SPEC.disk, signal }) },
    { what: 'unrescue', work: (driver, signal) => driver.unrescue(CTX, GUEST, { powerOn: true, signal }) },
    {
      what: 'finishMigration',
      work: (driver, signal) => driver.finishMigration(CTX, SPEC, { powerOn: true, signal }),
    },
    {
      what: 'liveMigrate',
      work: (driver, signal) => driver.liveMigrate(CTX, GUEST, { to: 'node-2', signal }),
    },
    { what: 'snapshot', work: (driver, signal) => driver.snapshot(CTX, GUEST, { name: 'copy', signal }) },
    { what: 'destroy', work: (driver) => driver.destroy(CTX, GUEST) },
  ]

  it.each(cases)('waits no longer in $what, and says that the agent stopped', async ({ work }) => {
    const stopping = new AbortController()
    const slow = new SlowDriver()
    const waiting = work(new StoppableDriver(slow, stopping.signal))
    expect(slow.begun).toBe(1)

    stopping.abort(new ServiceStopping({ service: 'nova-compute' }))

    await expect(waiting).rejects.toThrow(ServiceStopping)
  })

  it.each(cases.filter(({ what }) => what !== 'destroy'))(
    'still gives $what up for the reasons it is told of',
    async ({ work }) => {
      const interrupt = new AbortController()
      const waiting = work(
        new StoppableDriver(new SlowDriver(), new AbortController().signal),
        interrupt.signal,
      )

      interrupt.abort(new Error('it is being deleted'))

      await expect(waiting).rejects.toThrow('it is being deleted')
    },
  )
})
