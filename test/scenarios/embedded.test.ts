import { describe } from 'vitest'
import { describeBadInput } from './bad-input.ts'
import { describeDeadPeers } from './dead-peers.ts'
import { makeEmbeddedWorld } from './embedded-world.ts'
import { describeFailedBuilds } from './failed-builds.ts'
import { describeGuests } from './guest.ts'
import { describeLifeCycle } from './life-cycle.ts'
import { describeRaces } from './races.ts'

describe('on the embedded cluster', () => {
  describeDeadPeers(makeEmbeddedWorld)
  describeLifeCycle(makeEmbeddedWorld)
  describeBadInput(makeEmbeddedWorld)
  describeFailedBuilds(makeEmbeddedWorld)
  describeGuests(makeEmbeddedWorld)
  describeRaces(makeEmbeddedWorld)
})
