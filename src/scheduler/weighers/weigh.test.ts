import { describe, expect, it } from 'vitest'
import { makeHost, makeRequest } from '../../testing/builders.ts'
import type { HostState } from '../host-state.ts'
import { ImagePropertiesWeigher } from './image-properties-weigher.ts'
import { DEFAULT_WEIGHER_SETTINGS, makeWeighers, WEIGHERS } from './registry.ts'
import { type WeightedWeigher, weighHosts } from './weigh.ts'
import { isHostWeigher } from './weigher.ts'

/** Scores a host by its vCPUs, just as they are. */
function makeWeigher(
  options: { multiplier?: number; minimum?: number; maximum?: number } = {},
): WeightedWeigher {
  const { multiplier = 1, ...limits } = options
  const score = (host: HostState): number => host.inventory.vcpus
  return { weigher: { name: 'Test', score, ...limits }, multiplier }
}

function makeHosts(scores: Readonly<Record<string, number>>): HostState[] {
  return Object.entries(scores).map(([host, vcpus]) =>
    makeHost({ host, inventory: { vcpus, memoryMb: 0, diskGb: 0 } }),
  )
}

describe('weights', () => {
  it.each<{
    name: string
    scores: Readonly<Record<string, number>>
    weighers: WeightedWeigher[]
    want: [string, number][]
  }>([
    {
      name: 'are 0 for the worst, 1 for the best, and in proportion between',
      scores: { a: 10, b: 20, c: 15 },
      weighers: [makeWeigher()],
      want: [
        ['b', 1],
        ['c', 0.5],
        ['a', 0],
      ],
    },
    {
      name: 'are 0 where all score the same',
      scores: { a: 7, b: 7 },
      weighers: [makeWeigher()],
      want: [
        ['a', 0],
        ['b', 0],
      ],
    },
    {
      name: 'begin at the minimum that a weigher fixes',
      scores: { a: 5, b: 10 },
      weighers: [makeWeigher({ minimum: 0 })],
      want: [
        ['b', 1],
        ['a', 0.5],
      ],
    },
    {
      name: 'are 1 where all score the same above a fixed minimum',
      scores: { a: 7, b: 7 },
      weighers: [makeWeigher({ minimum: 0 })],
      want: [
        ['a', 1],
        ['b', 1],
      ],
    },
    {
      name: 'are 0 where all score the fixed minimum',
      scores: { a: 0, b: 0 },
      weighers: [makeWeigher({ minimum: 0 })],
      want: [
        ['a', 0],
        ['b', 0],
      ],
    },
    {
      name: 'turn round with a negative multiplier, which stacks instances',
      scores: { a: 10, b: 20 },
      weighers: [makeWeigher({ multiplier: -2 })],
      want: [
        ['a', 0],
        ['b', -2],
      ],
    },
    {
      name: 'do not count with a multiplier of 0',
      scores: { a: 1, b: 2 },
      weighers: [makeWeigher({ multiplier: 0 })],
      want: [
        ['a', 0],
        ['b', 0],
      ],
    },
    {
      name: 'of several weighers are added',
      scores: { a: 10, b: 20 },
      weighers: [makeWeigher(), makeWeigher({ multiplier: 3 })],
      want: [
        ['b', 4],
        ['a', 0],
      ],
    },
    {
      name: 'of a single host are 0: there is no choice',
      scores: { a: 5 },
      weighers: [makeWeigher({ minimum: 0 })],
      want: [['a', 0]],
    },
    {
      name: 'end at the maximum that a weigher fixes',
      scores: { a: 5, b: 10, c: 30 },
      weighers: [makeWeigher({ minimum: 0, maximum: 20 })],
      want: [
        ['c', 1],
        ['b', 0.5],
        ['a', 0.25],
      ],
    },
    {
      name: 'of no weigher are 0',
      scores: { b: 5, a: 3 },
      weighers: [],
      want: [
        ['a', 0],
        ['b', 0],
      ],
    },
    { name: 'of no host are none', scores: {}, weighers: [makeWeigher()], want: [] },
    {
      name: 'that are equal leave hosts in the order of their names, whatever order they came in',
      scores: { c: 5, a: 5, b: 9, d: 5 },
      weighers: [makeWeigher()],
      want: [
        ['b', 1],
        ['a', 0],
        ['c', 0],
        ['d', 0],
      ],
    },
  ])('$name', ({ scores, weighers, want }) => {
    const options = { ignoreHosts: [], preferHosts: [], maxAlternates: 0 }
    const weighed = weighHosts(makeHosts(scores), makeRequest(), options, weighers)
    expect(weighed.map(({ host, weight }) => [host.host, weight === 0 ? 0 : weight])).toEqual(want)
  })
})

describe('our weighers', () => {
  const host = makeHost({
    inventory: { vcpus: 8, memoryMb: 4096, diskGb: 100 },
    reserved: { vcpus: 1, memoryMb: 512, diskGb: 10 },
    ratios: { cpu: 2, memory: 1, disk: 1 },
    used: { vcpus: 3, memoryMb: 1024, diskGb: 40 },
  })
  const overbooked = makeHost({ used: { vcpus: 99, memoryMb: 99_999, diskGb: 999 } })

  it.each([
    { name: 'RAMWeigher', free: 2560 },
    { name: 'CPUWeigher', free: 11 },
    { name: 'DiskWeigher', free: 50 },
  ])('$name scores what is free, from 0 up, with Nova’s multiplier 1', ({ name, free }) => {
    const { make, multiplier } = WEIGHERS[name] ?? {}
    const weigher = make?.(DEFAULT_WEIGHER_SETTINGS)
    expect(weigher).toMatchObject({ name, minimum: 0 })
    expect(multiplier).toBe(1)
    const score = (one: HostState): number | undefined =>
      weigher && isHostWeigher(weigher) ? weigher.score(one, makeRequest()) : undefined
    expect(score(host)).toBe(free)
    expect(score(overbooked)).toBe(0)
  })

  const DEBIAN = { os_distro: 'debian', hw_machine_type: 'q35' }

  it.each([
    { what: 'each property in common, and each instance', ratios: {}, properties: DEBIAN, want: 7 },
    { what: 'nothing of an image without properties', ratios: {}, properties: {}, want: 0 },
    { what: 'no other value', ratios: {}, properties: { os_distro: 'windows' }, want: 0 },
    {
      what: 'a property as much as it is to count, and others not',
      ratios: { os_distro: -2.5 },
      properties: DEBIAN,
      want: -10,
    },
    { what: 'a list as it stands', ratios: {}, properties: { traits_required: ['A', 'B'] }, want: 1 },
    { what: 'no list in another order', ratios: {}, properties: { traits_required: ['B', 'A'] }, want: 0 },
  ])('ImagePropertiesWeigher counts $what', ({ ratios, properties, want }) => {
    const imageProperties = new Map([
      ['os_distro=debian', 4],
      ['hw_machine_type=q35', 3],
      ['hw_disk_bus=scsi', 9],
      ['traits_required=A,B', 1],
    ])
    const weigher = new ImagePropertiesWeigher(ratios)
    expect(weigher.score(makeHost({ imageProperties }), makeRequest({ properties }))).toBe(want)
  })

  it('ImagePropertiesWeigher finds nothing on a host of which no images are known', () => {
    expect(new ImagePropertiesWeigher({}).score(makeHost(), makeRequest({ properties: DEBIAN }))).toBe(0)
  })

  it('run with a multiplier of 0, too, which an aggregate may change, but for the one that costs', () => {
    const names = (multipliers?: Record<string, number>): string[] =>
      makeWeighers(multipliers).map(({ weigher }) => weigher.name)
    expect(names()).toContain('NumInstancesWeigher')
    expect(names()).not.toContain('ImagePropertiesWeigher')
    expect(names({ ImagePropertiesWeigher: 0 })).not.toContain('ImagePropertiesWeigher')
    expect(names({ ImagePropertiesWeigher: -1 })).toContain('ImagePropertiesWeigher')
  })
})
