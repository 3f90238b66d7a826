import { describe } from 'vitest'
import { describeAggregates } from './aggregates.ts'
import { describeBadInput } from './bad-input.ts'
import { describeBuildSlots } from './build-slots.ts'
import { describeChosenPolicy } from './chosen-policy.ts'
import { makeEmbeddedWorld } from './embedded-world.ts'
import { describeExamples } from './examples.ts'
import { describeFailedBuilds } from './failed-builds.ts'
import { describeKubectl } from './kubectl.ts'
import { describeLifeCycle } from './life-cycle.ts'
import { describeLocks } from './locks.ts'
import { describeMessages } from './messages.ts'
import { describeNoKubeVirt } from './no-kubevirt.ts'
import { describePlacement } from './placement.ts'
import { describeRaces } from './races.ts'

describe('on the embedded cluster', () => {
  describeLifeCycle(makeEmbeddedWorld)
  describeBadInput(makeEmbeddedWorld)
  describeFailedBuilds(makeEmbeddedWorld)
  describeBuildSlots(makeEmbeddedWorld)
  describePlacement(makeEmbeddedWorld)
  describeAggregates(makeEmbeddedWorld)
  describeChosenPolicy(makeEmbeddedWorld)
  describeRaces(makeEmbeddedWorld)
  describeLocks(makeEmbeddedWorld)
  describeMessages(makeEmbeddedWorld)
  describeKubectl(makeEmbeddedWorld)
  describeExamples(makeEmbeddedWorld)
  describeNoKubeVirt(makeEmbeddedWorld)
})
