import { describe } from 'vitest'
import { describeCarriedFlavors } from './carried-flavors.ts'
import { describeCarriedImages } from './carried-images.ts'
import { makeEmbeddedWorld } from './embedded-world.ts'
import { describeMoves } from './moves.ts'
import { describeOperations } from './operations.ts'

describe('on the embedded cluster', () => {
  describeOperations(makeEmbeddedWorld)
  describeMoves(makeEmbeddedWorld)
  describeCarriedFlavors(makeEmbeddedWorld)
  describeCarriedImages(makeEmbeddedWorld)
})
