import { describe } from 'vitest'
import { describeDeadPeers } from './dead-peers.ts'
import { makeEmbeddedWorld } from './embedded-world.ts'
import { describeGuests } from './guest.ts'
import { describeHostsDown } from './hosts-down.ts'
import { describeKills } from './kills.ts'

describe('on the embedded cluster, breaking it', () => {
  describeGuests(makeEmbeddedWorld)
  describeDeadPeers(makeEmbeddedWorld)
  describeKills(makeEmbeddedWorld)
  describeHostsDown(makeEmbeddedWorld)
})
