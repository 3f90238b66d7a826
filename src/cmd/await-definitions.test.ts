import { describe, expect, it } from 'vitest'
import { FLAVOR } from '../apis/v1alpha1/flavor.ts'
import { IMAGE } from '../apis/v1alpha1/image.ts'
import { ApiError, unreachable } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import { captureLog } from '../testing/log-capture.ts'
import { awaitDefinitions } from './await-definitions.ts'

const away = unreachable('GET /', new Error('connect ECONNREFUSED'))
const unknown = new ApiError({ code: 404, reason: 'NotFound', message: 'no such page' })
const clock = { sleep: async () => undefined }

const version = (minor: string): string => JSON.stringify({ major: '1', minor, gitVersion: `v1.${minor}.0` })

/** An API server whose lists fail, in one way after the other, and then no more. */
function failing(...failures: Error[]): Pick<KubeClient, 'list' | 'getRaw'> {
  return {
    getRaw: async () => version('36'),
    list: async () => {
      const failure = failures.shift()
      if (failure) throw failure
      return { items: [], resourceVersion: '1' }
    },
  }
}

describe('waiting for the API server', () => {
  it('is not worth a word when it is there', async () => {
    const { log, lines } = captureLog()
    await awaitDefinitions({ client: failing(), clock, log }, [FLAVOR, IMAGE], new AbortController().signal)
    expect(lines).toEqual([])
  })

  it('says once what it waits for, and that it goes on', async () => {
    const { log, lines } = captureLog()
    const client = failing(away, away, unknown, unknown)

    await awaitDefinitions({ client, clock, log }, [FLAVOR, IMAGE], new AbortController().signal)

    expect(lines.map((line) => line.replace(/^.* (?=WARNING|INFO)/, ''))).toEqual([
      'WARNING nova.kube [-] The Kubernetes API cannot be used yet; waiting for it error="GET /: connect ECONNREFUSED"',
      "WARNING nova.kube [-] Kilonova's definitions are not installed: no resource flavors.compute.kilonova.dev; waiting for it. Install the chart, or: kubectl apply --server-side -f crds/",
      'INFO nova.kube [-] The Kubernetes API can be used now',
    ])
  })

  it('says once that the cluster is too old', async () => {
    const { log, lines } = captureLog()
    const versions = [version('29'), version('29'), version('33')]
    const client = { ...failing(), getRaw: async () => versions.shift() ?? '' }

    await awaitDefinitions({ client, clock, log }, [FLAVOR], new AbortController().signal)

    expect(lines.map((line) => line.replace(/^.* (?=WARNING|INFO)/, ''))).toEqual([
      "WARNING nova.kube [-] Kubernetes v1.29.0 is older than v1.31, which Kilonova's definitions and policies need; waiting for an upgrade of the cluster",
      'INFO nova.kube [-] The Kubernetes API can be used now',
    ])
  })

  it('ends with the service', async () => {
    const stopping = new AbortController()
    stopping.abort(new Error('stopped'))
    const deps = { client: failing(away), clock, log: captureLog().log }
    await expect(awaitDefinitions(deps, [FLAVOR], stopping.signal)).rejects.toThrow('stopped')
  })
})
