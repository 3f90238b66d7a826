import { expect, it } from 'vitest'
import type { Placement } from '../objects/action-progress.ts'
import { explainChoice } from './placement.ts'

const PLACEMENT: Placement = {
  host: 'node-2',
  considered: 4,
  filters: [
    { name: 'ComputeFilter', removed: 1, reasons: ['1 disabled: new disks'] },
    { name: 'ResourceFilter', removed: 0, reasons: [] },
    { name: 'TraitsFilter', removed: 1, reasons: ['1 lacks HW_X'] },
  ],
  weighed: [
    { host: 'node-2', weight: 3 },
    { host: 'node-1', weight: 1.25 },
  ],
}

it('a choice says what each filter took out, and the weights of the best', () => {
  expect(explainChoice(PLACEMENT)).toBe(
    'node-2, the best of 2 that passed, of 4 considered; ComputeFilter took out 1 (1 disabled: new disks); TraitsFilter took out 1 (1 lacks HW_X); weights: node-2 3, node-1 1.25',
  )
})

it('a choice of one host has no weights to tell, and a long story is cut', () => {
  const [best] = PLACEMENT.weighed
  expect(explainChoice({ ...PLACEMENT, filters: [], weighed: best ? [best] : [] })).toBe(
    'node-2, the best of 4 that passed, of 4 considered',
  )
  const reasons = ['x'.repeat(2000)]
  const long = explainChoice({ ...PLACEMENT, filters: [{ name: 'F', removed: 1, reasons }] })
  expect(long).toHaveLength(900)
  expect(long.endsWith('…')).toBe(true)
})
