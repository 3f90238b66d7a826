import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cachedPath } from './cache.ts'
import { INSTALL_WAYS, type InstallWay, provide } from './provide.ts'
import { missingToolMessage, toolTable } from './report.ts'
import { temporaryFolder, writeProgram } from './testing.ts'
import { TOOLS } from './tools.ts'

const { helm } = TOOLS
const { signal } = new AbortController()

function failing(name: string, problem: string): InstallWay {
  return { name, get: () => Promise.reject(new Error(problem)) }
}

/** A way that works, and counts how often it was gone. */
function working(name: string, version = helm.version) {
  const way = {
    name,
    count: 0,
    get: async (_tool: unknown, { folder }: { readonly folder: string }) => {
      way.count += 1
      // Long enough for a second run to find the lock taken.
      await new Promise((resolve) => setTimeout(resolve, 50))
      return writeProgram(join(folder, 'helm'), version)
    },
  }
  return way
}

describe('provide', () => {
  it('downloads before it builds', () => {
    expect(INSTALL_WAYS.map((way) => way.name)).toEqual(['release', 'Go build'])
  })

  it('goes on to the next way when one fails, and finds the tool in the cache the next time', async () => {
    using folder = temporaryFolder()
    const lines: string[] = []
    const env = { KILONOVA_CACHE: folder.path, PATH: '' }
    const way = working('second')
    const ways = [failing('first', 'no network'), way, failing('third', 'not reached')]
    const options = { env, log: (line: string) => lines.push(line), signal, ways }

    const first = await provide(helm, options)
    const second = await provide(helm, options)

    const path = cachedPath(helm, env)
    expect(first.found).toEqual({ tool: 'helm', version: helm.version, from: 'second', path })
    expect(second.found).toMatchObject({ from: 'cache', path })
    expect(way.count).toBe(1)
    expect(lines).toContain('helm: first did not work: no network')
    expect(readdirSync(join(folder.path, 'tmp'))).toEqual([])
  })

  it('keeps out of the cache what does not run or is of another version', async () => {
    using folder = temporaryFolder()
    const env = { KILONOVA_CACHE: folder.path, PATH: '' }
    const ways: InstallWay[] = [
      working('old', '3.0.0'),
      { name: 'broken', get: () => Promise.resolve(process.argv[1] ?? '') },
    ]

    const provided = await provide(helm, { env, log: () => undefined, signal, ways })

    expect(provided).toMatchObject({
      attempts: expect.arrayContaining([
        { way: 'old', problem: `it says that it is 3.0.0, not ${helm.version}` },
        { way: 'broken', problem: expect.any(String) },
      ]),
    })
    expect(existsSync(cachedPath(helm, env))).toBe(false)
  })

  it('does the work once when two ask at the same time', async () => {
    using folder = temporaryFolder()
    const way = working('slow')
    const env = { KILONOVA_CACHE: folder.path, PATH: '' }
    const options = { env, log: () => undefined, signal, ways: [way] }

    const both = await Promise.all([provide(helm, options), provide(helm, options)])

    expect(both.map((provided) => provided.found?.path)).toEqual([
      cachedPath(helm, env),
      cachedPath(helm, env),
    ])
    expect(way.count).toBe(1)
  })
})

describe('the messages', () => {
  it('list what was tried and what the user can do', () => {
    const env = { KILONOVA_CACHE: '/cache' }
    const message = missingToolMessage(helm, [{ way: 'release', problem: 'no network' }], env)
    expect(message).toContain(`helm ${helm.version}: not available. Tried:\n  - release: no network\nAny one`)
    expect(message).toContain('set KILONOVA_HELM to the path of helm (3.14.0 or newer)')
    expect(message).toContain('install Go')
    expect(message).toContain(cachedPath(helm, env))
  })

  it('only point to the variable when it names a program that cannot be used', () => {
    const message = missingToolMessage(helm, [], { KILONOVA_HELM: '/no/helm' })
    expect(message).toContain('correct KILONOVA_HELM')
    expect(message).not.toContain('install Go')
  })

  it('line up the table', () => {
    const row = { tool: 'etcd', version: '3.6.8', from: 'cache', path: '/c/etcd' } as const
    expect(toolTable([row, { ...row, tool: 'nats-server', from: 'PATH' }])).toBe(
      `TOOL         VERSION  FROM   PATH
etcd         3.6.8    cache  /c/etcd
nats-server  3.6.8    PATH   /c/etcd`,
    )
  })
})
