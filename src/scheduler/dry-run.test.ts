import { describe, expect, it } from 'vitest'
import { describePlacement } from './describe-placement.ts'
import { describeExplanations } from './explain.ts'

const PLACEMENT = {
  host: 'node-2',
  considered: 3,
  filters: [
    { name: 'ComputeFilter', removed: 1, reasons: ['1 disabled: new disks'] },
    { name: 'ResourceFilter', removed: 0, reasons: [] },
  ],
  weighed: [
    { host: 'node-2', weight: 3, weighers: { RAMWeigher: 1, CPUWeigher: 1, DiskWeigher: 1 } },
    { host: 'node-10', weight: 1.25, weighers: { RAMWeigher: 1.5, IoOpsWeigher: -0.25 } },
  ],
}

describe('a decision in lines', () => {
  it('tells the host, the alternates, what the filters took out, and the best', () => {
    expect(describePlacement(PLACEMENT, ['node-10']).split('\n')).toEqual([
      'Host:        node-2, the best of 2 that passed, of 3 considered',
      'Alternates:  node-10',
      'Filters:',
      '  ComputeFilter   took out 1: 1 disabled: new disks',
      '  ResourceFilter  took out 0',
      'Weights of the best:',
      '  node-2   3 (RAMWeigher 1, CPUWeigher 1, DiskWeigher 1)',
      '  node-10  1.25 (RAMWeigher 1.5, IoOpsWeigher -0.25)',
      '',
    ])
  })

  it('tells of one that an older scheduler made, which does not say what the weighers gave', () => {
    const placement = { ...PLACEMENT, weighed: [{ host: 'node-2', weight: 3 }] }
    expect(describePlacement(placement)).toContain('Weights of the best:\n  node-2  3\n')
  })

  it('tells why there is no host', () => {
    const filters = [{ name: 'ComputeFilter', removed: 3, reasons: ['3 down: forced down'] }]
    expect(describePlacement({ host: '', considered: 3, filters, weighed: [] })).toBe(
      'No valid host was found. Of 3 hosts, ComputeFilter took out 3 (3 down: forced down).\nFilters:\n  ComputeFilter  took out 3: 3 down: forced down\n',
    )
  })

  it('is one of an operation, or there is none', () => {
    const one = {
      action: 'create',
      requestId: 'req-1',
      startTime: '2026-01-01T00:00:00Z',
      placement: PLACEMENT,
    }
    expect(describeExplanations('web', [one])).toContain(
      'create of web at 2026-01-01T00:00:00Z (req-1): under way\nHost:        node-2',
    )
    const message = 'Exceeded maximum number of build attempts (1) on node-2.'
    expect(describeExplanations('web', [{ ...one, result: 'Error', message }])).toContain(
      'create of web at 2026-01-01T00:00:00Z (req-1): Error: Exceeded maximum number of build attempts (1) on node-2.\nHost:        node-2',
    )
    const nowhere = { ...PLACEMENT, host: '', weighed: [] }
    const none = { ...one, result: 'Error', message: 'No valid host was found. …', placement: nowhere }
    expect(describeExplanations('web', [none])).toContain('(req-1): Error\nNo valid host was found. ')
    const undecided = { ...one, result: 'Error', message: 'Quota exceeded.', placement: undefined }
    expect(describeExplanations('web', [undecided])).toBe(
      'create of web at 2026-01-01T00:00:00Z (req-1): Error: Quota exceeded.\n',
    )
    expect(describeExplanations('web', [])).toContain('No decision on web is recorded')
  })
})
