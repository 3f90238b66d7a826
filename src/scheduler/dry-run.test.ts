import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { describePlacement } from './describe-placement.ts'
import { readManifest, UnfitManifest } from './dry-run.ts'
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

/** The hints of an instance, after its manifest was read. */
function hintsIn(schedulerHints: object): object | undefined {
  const text = stringify({
    kind: 'Instance',
    metadata: { name: 'web' },
    spec: { flavor: 'f', image: 'i', schedulerHints },
  })
  return readManifest(text, 'default').spec.schedulerHints
}

describe('a manifest', () => {
  it('is read as far as it matters for where the instance goes', () => {
    const text = `
kind: Instance
metadata: { name: web, namespace: shop }
spec: { flavor: m1.tiny, image: cirros, availabilityZone: west, schedulerHints: { group: web }, userData: aGk= }`
    expect(readManifest(text, 'default')).toMatchObject({
      metadata: { name: 'web', namespace: 'shop' },
      spec: {
        flavor: 'm1.tiny',
        image: 'cirros',
        availabilityZone: 'west',
        schedulerHints: { group: 'web' },
      },
    })
  })

  it('keeps all the hints', () => {
    const hints = {
      group: 'web',
      different_host: ['a'],
      same_host: ['b'],
      build_near_host_ip: '10.0.0.1',
      cidr: '/16',
    }
    expect(hintsIn(hints)).toEqual(hints)
  })

  it.each([
    [{ build_near_host_ip: 'node-1' }, 'this is no IP address'],
    [{ build_near_host_ip: 'fe80::1%eth0' }, 'this is no IP address'],
    [{ build_near_host_ip: '10.0.0.1', cidr: '24' }, 'cidr'],
    [{ build_near_host_ip: 'fd00::1', cidr: '/129' }, 'cidr'],
    [{ build_near_host_ip: '10.0.0.1', cidr: '/33' }, 'this needs build_near_host_ip, and is no longer'],
    [{ cidr: '/24' }, 'this needs build_near_host_ip'],
  ])('with a hint that means nothing is refused: %j', (hints, says) => {
    expect(() => hintsIn(hints)).toThrow(says)
  })

  it.each(['', 'kind: Pod', 'kind: Instance\nmetadata: {}\nspec: { flavor: m1.tiny }', '{'])(
    'that is none of an Instance is refused: %j',
    (text) => {
      expect(() => readManifest(text, 'default')).toThrow(UnfitManifest)
    },
  )
})

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
    expect(describeExplanations('web', [])).toContain('No decision on web is recorded')
  })
})
