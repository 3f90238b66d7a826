import { describe } from 'vitest'
import { makeEmbeddedWorld } from './embedded-world.ts'
import { describeOperationKills } from './operation-kills.ts'

describe('on the embedded cluster', () => {
  describeOperationKills(makeEmbeddedWorld)
})
