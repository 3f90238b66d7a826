import { describe } from 'vitest'
import { makeEmbeddedWorld } from './embedded-world.ts'
import { describeKills } from './kills.ts'

describe('on the embedded cluster, killing services', () => {
  describeKills(makeEmbeddedWorld)
})
