import { describe, expect, it } from 'vitest'
import { compareVersions, parseVersion, readVersion } from './version.ts'

describe('parseVersion', () => {
  it.each([
    { printed: 'Kubernetes v1.36.3', want: '1.36.3' },
    { printed: 'etcd Version: 3.6.8\nGit SHA: Not provided\nGo Version: go1.26.8', want: '3.6.8' },
    { printed: 'nats-server: v2.15.2', want: '2.15.2' },
    { printed: 'Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0', want: '1.32.4' },
    { printed: 'v3.22.0+g1234567', want: '3.22.0' },
    { printed: 'tool 2.10', want: '2.10.0' },
    { printed: 'no number here', want: undefined },
  ])('reads $want from "$printed"', ({ printed, want }) => {
    expect(parseVersion(printed)).toBe(want)
  })
})

describe('compareVersions', () => {
  it.each([
    { left: '1.9.0', right: '1.28.0', want: -1 },
    { left: '1.28.0', right: '1.28.0', want: 0 },
    { left: '2.0.0', right: '1.99.99', want: 1 },
    { left: '3.5.10', right: '3.5.9', want: 1 },
  ])('compares $left with $right by numbers', ({ left, right, want }) => {
    expect(Math.sign(compareVersions(left, right))).toBe(want)
  })
})

describe('readVersion', () => {
  it('runs the program', () => {
    expect(readVersion(process.execPath, ['--version'])).toEqual({
      ok: true,
      version: process.versions.node,
    })
  })

  it('says why when the program does not work', () => {
    const answer = readVersion(process.execPath, ['--no-such-option'])
    expect(answer).toMatchObject({
      ok: false,
      problem: expect.stringContaining('--no-such-option ended with 9'),
    })
  })

  it('says why when there is no such program', () => {
    expect(readVersion('/no/such/program', [])).toMatchObject({
      ok: false,
      problem: expect.stringContaining('/no/such/program does not run'),
    })
  })
})
