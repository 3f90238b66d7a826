import { afterAll, describe } from 'vitest'
import { describeBadInput } from '../scenarios/bad-input.ts'
import { describeBuildSlots } from '../scenarios/build-slots.ts'
import { describeChaos } from '../scenarios/chaos.ts'
import { describeDeadPeers } from '../scenarios/dead-peers.ts'
import { describeExamples } from '../scenarios/examples.ts'
import { describeFailedBuilds } from '../scenarios/failed-builds.ts'
import { describeGuests } from '../scenarios/guest.ts'
import { describeHostsDown } from '../scenarios/hosts-down.ts'
import { describeKills } from '../scenarios/kills.ts'
import { describeKubectl } from '../scenarios/kubectl.ts'
import { describeLifeCycle } from '../scenarios/life-cycle.ts'
import { describeLocks } from '../scenarios/locks.ts'
import { describeMessages } from '../scenarios/messages.ts'
import { describeNoKubeVirt } from '../scenarios/no-kubevirt.ts'
import { describeRaces } from '../scenarios/races.ts'
import { SharedWorlds } from '../scenarios/shared-worlds.ts'
import { makeRealWorld } from './real-world.ts'
import { setupNeeded } from './setup-needed.ts'

describe.skipIf(setupNeeded() !== undefined)('on kube-apiserver, etcd and nats-server', () => {
  const worlds = new SharedWorlds(makeRealWorld)
  afterAll(() => worlds.stop())

  describeLifeCycle(worlds.make)
  describeBadInput(worlds.make)
  describeFailedBuilds(worlds.make)
  describeBuildSlots(worlds.make)
  describeRaces(worlds.make)
  describeLocks(worlds.make)
  describeMessages(worlds.make)
  describeKubectl(worlds.make)
  describeExamples(worlds.make)
  describeNoKubeVirt(worlds.make)
})

describe.skipIf(setupNeeded() !== undefined)('on kube-apiserver, etcd and nats-server, breaking them', () => {
  const worlds = new SharedWorlds(makeRealWorld)
  afterAll(() => worlds.stop())

  describeGuests(worlds.make)
  describeDeadPeers(worlds.make)
  describeKills(worlds.make)
  describeHostsDown(worlds.make)
  describeChaos(worlds.make)
})
