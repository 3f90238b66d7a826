import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leave } from '../scenarios/audit.ts'
import { Bookings } from '../scenarios/bookings.ts'
import { eventually } from '../scenarios/eventually.ts'
import { makeProject } from '../scenarios/instances.ts'
import { hostsOf } from '../scenarios/world.ts'
import { ApiGate } from './api-gate.ts'
import { makeRealWorld, type RealWorld } from './real-world.ts'
import { setupNeeded } from './setup-needed.ts'

const needed = setupNeeded()
if (needed !== undefined) console.log(needed)

const OLD = 'nova-scheduler-old'
/** Of m1.medium with its 4 GiB, on a simulated host that may be booked with 31.5. */
const FIT = 7

/** The old leader has decided, and what it writes is long on its way: until another leads, and has decided otherwise. */
describe.skipIf(needed !== undefined)('a scheduler that is the leader no more, and writes', () => {
  let world: RealWorld
  let bookings: Bookings
  let gate: ApiGate

  beforeAll(async () => {
    // Nobody sends anything again in the meantime, so that each decision is one scheduler's alone.
    world = await makeRealWorld({ env: { KILONOVA_REDRIVE_AFTER: '90' } })
    bookings = await Bookings.of(world)
    await bookings.start()
    gate = await ApiGate.start(world.kubeconfigPath)
  })
  afterAll(async () => {
    await bookings?.stop()
    await gate?.stop()
    if (world) await leave(world)
  })

  const said = (name: string, what: string): number => world.services.log(name).split(what).length - 1
  const names = (what: string, count: number): readonly string[] =>
    Array.from({ length: count }, (_, index) => `${what}-${index}`)

  /** The old one leads, and everything that it writes from now on waits. */
  async function holdUpTheLeader(): Promise<void> {
    await world.services.stop('nova-scheduler')
    await world.services.start(OLD, { KILONOVA_KUBECONFIG: gate.kubeconfigPath })
    await eventually(
      'the old one leads',
      () => said(OLD, 'Became the leader') > said(OLD, 'No longer the leader'),
    )
    await world.services.start('nova-scheduler')
    gate.hold()
  }

  async function untilAnotherLeads(before: number): Promise<void> {
    await eventually('another leads', () => said('nova-scheduler', 'Became the leader') > before)
    expect(said(OLD, 'Became the leader')).toBe(said(OLD, 'No longer the leader'))
  }

  it('what it bound too late is refused by the hosts: none is oversold, and none is lost', async () => {
    const project = await makeProject(world)
    const hosts = hostsOf(world)
    const [late, timely] = [names('late', 12), names('timely', FIT * hosts.length)]
    const spec = { flavor: 'm1.medium' }
    const leaders = said('nova-scheduler', 'Became the leader')
    await holdUpTheLeader()
    await Promise.all(late.map((name) => project.create(name, spec)))
    await eventually('the old one has decided', () => said(OLD, 'Selected host') === late.length)
    await untilAnotherLeads(leaders)
    await Promise.all(timely.map((name) => project.create(name, spec)))
    for (const name of timely) await project.until(name, ({ status }) => status.host !== undefined)
    for (const name of late) expect((await project.get(name)).status.host).toBeUndefined()

    gate.release()

    const ended = await Promise.all(
      [...late, ...timely].map((name) =>
        project.until(name, ({ status }) => status.taskState === undefined && status.vmState !== 'building'),
      ),
    )
    expect(bookings.wrongs.length, 'bookings of the old one, on hosts that were full').toBeGreaterThan(0)
    const active = ended.filter(({ status }) => status.vmState === 'active')
    expect(active).toHaveLength(timely.length)
    for (const { metadata } of active) expect(await bookings.vmsSeen(metadata.uid)).toBe(1)
    for (const { metadata, status } of ended.filter((one) => !active.includes(one))) {
      expect(status.fault?.reason).toBe('MaxRetriesExceeded')
      expect(bookings.vmsOf(metadata.uid)).toBe(0)
    }
    for (const host of hosts) expect(bookings.mostVms(project.namespace, host)).toBe(FIT)
    await world.services.stop(OLD)
    await Promise.all([...late, ...timely].map((name) => project.delete(name)))
    await project.untilAllGone()
  })

  it('what another bound meanwhile stays as it is: none is bound twice', async () => {
    const project = await makeProject(world)
    const web = names('web', 6)
    const leaders = said('nova-scheduler', 'Became the leader')
    const decided = said(OLD, 'Selected host')
    await holdUpTheLeader()
    await Promise.all(web.map((name) => project.create(name)))
    await eventually('the old one has decided', () => said(OLD, 'Selected host') === decided + web.length)
    await untilAnotherLeads(leaders)
    // The old one hands back what it cannot finish.
    const active = await Promise.all(web.map((name) => project.untilState(name, 'active')))

    gate.release()

    await eventually('it has seen that it came too late', () => {
      return said(OLD, 'Stopped scheduling the instance: something else came first') === web.length
    })
    for (const { metadata, status } of active) {
      const now = await project.get(metadata.name)
      expect(now.status).toMatchObject({ vmState: 'active', host: status.host, attempt: 1 })
      expect(await bookings.vmsSeen(metadata.uid)).toBe(1)
    }
    await world.services.stop(OLD)
    await Promise.all(web.map((name) => project.delete(name)))
    await project.untilAllGone()
  })
})
