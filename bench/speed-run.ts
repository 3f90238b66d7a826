import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Guests } from './guests.ts'
import { LoadGenerator, names, pooled } from './load.ts'
import type { BenchOptions } from './options.ts'
import { cpuSeconds } from './processes.ts'
import type { Phase, SpeedRun } from './result.ts'
import { busySeconds } from './quiet.ts'
import { Services } from './services.ts'
import { type Counts, minus, percentilesOf, since, total } from './statistics.ts'
import { World } from './world.ts'
import { type OwnWrites, writesInMetrics } from './writes.ts'
import { measureYardstick, type Yardstick } from './yardstick.ts'

/** Launched and shut off before the clock runs: compilers and connections get warm, as they are in a cluster. */
const WARM_UP = 64
/** What is written in the background, Events above all, is on its way for no longer than this. */
const SETTLE_MS = 1_000

const PROFILE_SECONDS = 12

type Say = (line: string) => void

interface Stage {
  readonly world: World
  readonly guests: Guests
  readonly services: Services
  readonly load: LoadGenerator
  readonly own: OwnWrites
}

/** Everything at full speed and one at a time, on a world of its own. */
export async function speedRun(
  deps: { readonly own: OwnWrites; readonly say: Say },
  options: BenchOptions,
): Promise<SpeedRun> {
  const { say, own } = deps
  say('starting kube-apiserver, etcd and nats-server')
  const world = await World.start({ nodes: options.agents + 1, isProfiled: options.profile !== undefined })
  const client = world.openClient('user')
  const yardstick = async (): Promise<Yardstick> => {
    say('bare writes, without Kilonova')
    return measureYardstick(client, { count: options.launches, concurrency: options.concurrency })
  }
  const before = await yardstick()

  say(`starting the services and ${options.agents + 1} agents`)
  const stage = {
    world,
    own,
    guests: new Guests(world),
    services: new Services(world, options),
    load: new LoadGenerator(client),
  }
  const { guests, services, load } = stage
  await Promise.all([guests.start(), load.start()])
  await services.start()
  await sleep(SETTLE_MS)
  const memoryIdle = services.memory()

  const launch = async (name: string): Promise<number> => load.launch(name)
  const shutOff = async (name: string): Promise<number> => load.shutOff(name)
  const first = names('first', WARM_UP)
  say(`warming up with ${WARM_UP} instances`)
  for (const work of [launch, shutOff]) await pooled(first, options.concurrency, work)

  say(`${options.single} launches and ${options.single} shut-offs, one at a time`)
  const single = names('single', options.single)
  const singleLaunch = await pooled(single, 1, launch)
  const singleStop = await pooled(single, 1, shutOff)

  const many = names('many', options.launches)
  say(`${options.launches} launches, ${options.concurrency} at a time`)
  const profiled = profileApiServer(world, options.profile)
  const launches = await phaseOf(stage, async () => pooled(many, options.concurrency, launch))
  await profiled
  say(`  ${launches.perSecond.toFixed(1)} a second`)
  say(`${options.launches} shut-offs, ${options.concurrency} at a time`)
  const stops = await phaseOf(stage, async () => pooled(many, options.concurrency, shutOff))
  say(`  ${stops.perSecond.toFixed(1)} a second`)
  const memoryLoaded = services.memory()

  await load.stop()
  await services.stop()
  await guests.stop()
  const after = await yardstick()
  await world.stop()
  return {
    singleLaunch: percentilesOf(singleLaunch.latencies),
    singleStop: percentilesOf(singleStop.latencies),
    launches,
    stops,
    memoryIdle,
    memoryLoaded,
    yardsticks: [before, after],
  }
}

interface Snapshot {
  readonly metrics: Counts
  readonly standIn: Counts
  readonly user: Counts
  readonly cpu: Counts
  readonly busy: number
  readonly atMs: number
}

async function phaseOf(
  stage: Stage,
  work: () => Promise<{ readonly seconds: number; readonly latencies: readonly number[] }>,
): Promise<Phase> {
  const before = await settled(stage)
  const { seconds, latencies } = await work()
  const after = await settled(stage)
  const cpu = since(before.cpu, after.cpu)
  const userWrites = since(before.user, after.user)
  const standInWrites = since(before.standIn, after.standIn)
  return {
    count: latencies.length,
    perSecond: latencies.length / seconds,
    latency: percentilesOf(latencies),
    ourWrites: minus(minus(since(before.metrics, after.metrics), userWrites), standInWrites),
    standInWrites,
    userWrites,
    cpu,
    othersCores: Math.max(0, (1000 * (after.busy - before.busy - total(cpu))) / (after.atMs - before.atMs)),
  }
}

/** As things are when nothing is being written any more. */
async function settled(stage: Stage): Promise<Snapshot> {
  for (let last = ''; ; ) {
    await sleep(SETTLE_MS)
    // The CPU first: to read the metrics costs the API server something.
    const taken = { cpu: cpuOf(stage), busy: busySeconds(), atMs: performance.now() }
    const metrics = writesInMetrics(await stage.world.plane.metrics())
    const text = JSON.stringify(metrics)
    if (text === last) return { ...taken, metrics, standIn: stage.guests.writes(), user: stage.own.counts }
    last = text
  }
}

function cpuOf({ world, guests, services }: Stage): Counts {
  const { plane, nats } = world
  const parts = [plane.apiserver, plane.etcd, nats.part].flatMap(({ name, pid }) =>
    pid === undefined ? [] : [[name, cpuSeconds(pid)] as const],
  )
  const { user, system } = process.cpuUsage()
  return {
    ...services.cpu(),
    ...Object.fromEntries(parts),
    'stand-in': guests.cpu(),
    user: (user + system) / 1e6,
  }
}

/** In Go's format, for `go tool pprof`. */
async function profileApiServer({ plane }: World, folder: string | undefined): Promise<void> {
  if (folder === undefined) return
  const answer = await plane.request(`/debug/pprof/profile?seconds=${PROFILE_SECONDS}`)
  writeFileSync(join(folder, 'kube-apiserver.pprof'), await answer.bytes())
}
