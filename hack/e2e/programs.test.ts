import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findPrograms } from './programs.ts'
import { failed, FakeCommands } from './testing.ts'

describe('the programs that a run needs', () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kilonova-e2e-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const good = [/^kind version/, 'kind v0.33.0 go1.26.8 linux/amd64\n'] as const

  function have(...names: readonly string[]): Readonly<Record<string, string>> {
    for (const name of names) {
      const file = join(folder, name)
      writeFileSync(file, '#!/bin/sh\necho v99.0.0\n')
      chmodSync(file, 0o755)
    }
    return { PATH: `${folder}:/usr/bin:/bin`, KILONOVA_CACHE: join(folder, 'cache') }
  }

  it('are found', async () => {
    const env = have('docker', 'kind', 'kubectl', 'helm')

    const { programs } = await findPrograms(new FakeCommands([good]), env)

    const path = (name: string): string => join(folder, name)
    expect(programs).toEqual({
      docker: path('docker'),
      kind: path('kind'),
      kubectl: path('kubectl'),
      helm: path('helm'),
    })
  })

  it('are named in one sentence with where to get them, when they are missing', async () => {
    const env = { ...have(), PATH: folder }

    const { lacking } = await findPrograms(new FakeCommands(), env)

    expect(lacking).toMatch(/^The e2e scenarios cannot run here: .*\.$/)
    for (const name of ['docker', 'kind', 'kubectl', 'helm']) {
      expect(lacking).toMatch(new RegExp(`${name} is missing \\(get it: `))
    }
    expect(lacking).not.toContain('\n')
  })

  it('need a Docker that answers', async () => {
    const commands = new FakeCommands([[/^docker version/, failed('Cannot connect')], good])

    const { lacking } = await findPrograms(commands, have('docker', 'kind', 'kubectl', 'helm'))

    expect(lacking).toBe(
      'The e2e scenarios cannot run here: docker is there but its daemon does not answer (start it, and see that you may use it: docker version).',
    )
  })

  it('need a kind that goes with the images', async () => {
    const commands = new FakeCommands([[/^kind version/, 'kind v0.32.0 go1.25.0 linux/amd64\n']])

    const { lacking } = await findPrograms(commands, have('docker', 'kind', 'kubectl', 'helm'))

    expect(lacking).toContain(
      'kind 0.32.0 is too old for the images of hack/kind.yaml (get 0.33.0: go install',
    )
  })
})
