import { describe } from 'vitest'
import type { RequestInfo } from '../../src/dev/apiserver/faults.ts'
import type { ApiServer } from '../../src/dev/apiserver/server.ts'
import { describeChaos } from './chaos.ts'
import { makeEmbeddedWorld } from './embedded-world.ts'
import { describeLifeCycle } from './life-cycle.ts'
import { describeRaces } from './races.ts'
import { randomFrom } from './random.ts'
import type { MakeWorld } from './world.ts'

const FAULT_RATE = 0.03

describe('on the embedded cluster', () => {
  describeChaos(makeEmbeddedWorld)
})

describe('on an API server that refuses, hangs up, and does what it is asked without saying so', () => {
  const makeWorld: MakeWorld = async (options) => makeEmbeddedWorld(options, spoil)
  describeLifeCycle(makeWorld)
  describeRaces(makeWorld)
  describeChaos(makeWorld)
})

/** Some requests of our services go wrong, in each of three ways; users and KubeVirt are spared. */
function spoil({ faults }: ApiServer): void {
  const random = randomFrom(3)
  const isStruck = ({ userAgent, verb }: RequestInfo): boolean =>
    userAgent.startsWith('kilonova/nova-') && verb !== 'watch' && verb !== 'list' && random() < FAULT_RATE
  faults.loseAnswer(isStruck)
  faults.cut(isStruck)
  faults.refuse(isStruck, 503)
}
