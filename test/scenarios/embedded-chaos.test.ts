import { describe } from 'vitest'
import { describeChaos } from './chaos.ts'
import { makeEmbeddedWorld } from './embedded-world.ts'

describe('on the embedded cluster', () => {
  describeChaos(makeEmbeddedWorld)
})
