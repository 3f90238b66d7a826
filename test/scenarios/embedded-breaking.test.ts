import { describe } from 'vitest'
import { describeDeadPeers } from './dead-peers.ts'
import { makeEmbeddedWorld } from './embedded-world.ts'
import { describeGuests } from './guest.ts'
import { describeHostsDown } from './hosts-down.ts'
import { describeTwoSchedulers } from './two-schedulers.ts'

describe('on the embedded cluster, with what it stands on away', () => {
  describeGuests(makeEmbeddedWorld)
  describeDeadPeers(makeEmbeddedWorld)
  describeHostsDown(makeEmbeddedWorld)
  describeTwoSchedulers(makeEmbeddedWorld)
})
