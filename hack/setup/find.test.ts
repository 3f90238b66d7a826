import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cachedPath, cacheFolder } from './cache.ts'
import { findTools, lookUp } from './find.ts'
import { temporaryFolder, writeProgram } from './testing.ts'
import { TOOLS } from './tools.ts'

const { etcd } = TOOLS

describe('the cache folder', () => {
  it.each([
    { env: { KILONOVA_CACHE: '/a', XDG_CACHE_HOME: '/b' }, want: '/a' },
    { env: { XDG_CACHE_HOME: '/b' }, want: '/b/kilonova' },
    { env: {}, want: expect.stringMatching(/\/\.cache\/kilonova$/) },
  ])('is $want', ({ env, want }) => {
    expect(cacheFolder(env)).toEqual(want)
  })
})

describe('lookUp', () => {
  it('tries the own variable, KUBEBUILDER_ASSETS, the cache and the PATH, in this order', () => {
    using folder = temporaryFolder()
    const at = (name: string) => join(folder.path, name)
    const env: Record<string, string> = { KILONOVA_CACHE: at('cache'), PATH: at('bin') }

    expect(lookUp(etcd, env)).toEqual({
      final: false,
      attempts: [
        { way: 'environment', problem: 'not set: KILONOVA_ETCD, KUBEBUILDER_ASSETS' },
        { way: 'cache', problem: `${cachedPath(etcd, env)} is not there` },
        { way: 'PATH', problem: 'no etcd on it' },
      ],
    })

    writeProgram(at('bin/etcd'), '3.5.1')
    expect(lookUp(etcd, env).found).toMatchObject({ from: 'PATH', version: '3.5.1', path: at('bin/etcd') })

    writeProgram(cachedPath(etcd, env), etcd.version)
    expect(lookUp(etcd, env).found).toMatchObject({ from: 'cache', version: etcd.version })

    env['KUBEBUILDER_ASSETS'] = at('assets')
    expect(lookUp(etcd, env).found).toMatchObject({ from: 'cache' })
    writeProgram(at('assets/etcd'), '3.5.2')
    expect(lookUp(etcd, env).found).toMatchObject({
      from: 'environment (KUBEBUILDER_ASSETS)',
      version: '3.5.2',
    })

    env['KILONOVA_ETCD'] = writeProgram(at('mine'), '3.4.0')
    expect(lookUp(etcd, env).found).toMatchObject({ from: 'environment (KILONOVA_ETCD)', version: '3.4.0' })
  })

  it('passes over a program on the PATH that is too old, and says so', () => {
    using folder = temporaryFolder()
    const path = writeProgram(join(folder.path, 'etcd'), '3.4.30')
    const lookup = lookUp(etcd, { KILONOVA_CACHE: join(folder.path, 'cache'), PATH: folder.path })
    expect(lookup).toMatchObject({
      attempts: expect.arrayContaining([
        { way: 'PATH', problem: `${path} is 3.4.30, older than ${etcd.minimum}` },
      ]),
    })
  })

  it('lets nothing stand in for a program that the user named and that is not there', () => {
    using folder = temporaryFolder()
    writeProgram(join(folder.path, 'etcd'), '3.6.0')
    const env = { KILONOVA_CACHE: join(folder.path, 'cache'), PATH: folder.path, KILONOVA_ETCD: '/no/etcd' }
    expect(lookUp(etcd, env)).toEqual({
      final: true,
      attempts: [{ way: 'environment (KILONOVA_ETCD)', problem: '/no/etcd is no program that can be run' }],
    })
  })
})

describe('findTools', () => {
  it('gives a path for what is there and undefined for the rest', () => {
    using folder = temporaryFolder()
    const helm = writeProgram(join(folder.path, 'helm'), '3.20.0')
    expect(findTools({ KILONOVA_CACHE: join(folder.path, 'cache'), PATH: folder.path })).toEqual({
      'kube-apiserver': undefined,
      etcd: undefined,
      'nats-server': undefined,
      kubectl: undefined,
      helm,
    })
  })
})
