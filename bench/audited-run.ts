import { setTimeout as sleep } from 'node:timers/promises'
import { AuditLog } from './audit.ts'
import { Guests } from './guests.ts'
import { LoadGenerator, names, pooled } from './load.ts'
import type { BenchOptions } from './options.ts'
import type { AuditedRun } from './result.ts'
import { Services } from './services.ts'
import { World } from './world.ts'

/** As long as the slowest thing that an agent does of itself: a look at what its host has. */
const IDLE_SECONDS = 60
const SETTLE_MS = 3_000
/** Not in step with anything: one at a time would hide writes that only races cause. */
const CONCURRENCY = 8

/** A smaller run in which the API server writes down who did what. */
export async function auditedRun(
  deps: { readonly say: (line: string) => void },
  options: BenchOptions,
): Promise<AuditedRun> {
  const { say } = deps
  say('with audit logging: starting kube-apiserver, etcd and nats-server')
  const world = await World.start({ nodes: options.agents + 1, isAudited: true })
  const guests = new Guests(world)
  const services = new Services(world, { profile: undefined, logs: undefined })
  const load = new LoadGenerator(world.openClient('user'))
  const audit = new AuditLog(world.auditLog)
  await Promise.all([guests.start(), load.start()])
  await services.start()
  await pooled(names('first', CONCURRENCY), CONCURRENCY, async (name) => load.launch(name))
  await sleep(SETTLE_MS)
  await audit.next()

  say(`${options.audited} launches and ${options.audited} shut-offs`)
  const many = names('audited', options.audited)
  await pooled(many, CONCURRENCY, async (name) => load.launch(name))
  await sleep(SETTLE_MS)
  const launches = await audit.next()
  await pooled(many, CONCURRENCY, async (name) => load.shutOff(name))
  await sleep(SETTLE_MS)
  const stops = await audit.next()

  say(`waiting ${IDLE_SECONDS} s for the last reports of hosts`)
  await sleep(IDLE_SECONDS * 1000)
  await audit.next()
  say(`idle for ${IDLE_SECONDS} s`)
  await sleep(IDLE_SECONDS * 1000)
  const idle = await audit.next()

  await load.stop()
  await services.stop()
  await guests.stop()
  await world.stop()
  return { count: options.audited, launches, stops, idleSeconds: IDLE_SECONDS, idle }
}
