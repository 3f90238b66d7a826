import { describe } from 'vitest'
import { makeEmbeddedWorld } from './embedded-world.ts'
import { describeLifeCycle } from './life-cycle.ts'

describe('on the embedded cluster', () => {
  describeLifeCycle(makeEmbeddedWorld)
})
