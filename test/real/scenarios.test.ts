import { describe } from 'vitest'
import { describeBadInput } from '../scenarios/bad-input.ts'
import { describeFailedBuilds } from '../scenarios/failed-builds.ts'
import { describeGuests } from '../scenarios/guest.ts'
import { describeLifeCycle } from '../scenarios/life-cycle.ts'
import { makeRealWorld } from './real-world.ts'
import { setupNeeded } from './setup-needed.ts'

describe.skipIf(setupNeeded() !== undefined)('on kube-apiserver, etcd and nats-server', () => {
  describeLifeCycle(makeRealWorld)
  describeBadInput(makeRealWorld)
  describeFailedBuilds(makeRealWorld)
  describeGuests(makeRealWorld)
})
