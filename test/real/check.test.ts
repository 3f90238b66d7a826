import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { SystemClock, toTimestamp } from '../../src/common/clock.ts'
import { loggerTo } from '../../src/common/log.ts'
import { COMPUTE_NODE, type ComputeNode } from '../../src/apis/v1alpha1/compute-node.ts'
import { CRD } from '../../src/apis/definitions.ts'
import { type CustomResourceDefinition, installCrds, kilonovaCrds } from '../../src/dev/crds.ts'
import { createNode } from '../../src/dev/nodes.ts'
import { HttpKubeClient } from '../../src/kube/http-client.ts'
import { loadKubeConfig } from '../../src/kube/kube-config.ts'
import { defineResource, type KubeObject } from '../../src/kube/resource.ts'
import { seedCatalogue } from '../../src/objects/catalogue.ts'
import { openTransport } from '../../src/rpc/open-transport.ts'
import type { Transport } from '../../src/rpc/transport.ts'
import { eventually } from '../scenarios/eventually.ts'
import { type ControlPlane, startControlPlane } from './parts/control-plane.ts'
import { kubevirtCrdFiles } from './parts/crds.ts'
import { type NatsServer, startNats } from './parts/nats.ts'
import { MAIN } from './service-process.ts'
import { setupNeeded } from './setup-needed.ts'

const KUBEVIRT = defineResource<KubeObject & { spec: object; status?: { phase: string } }>({
  group: 'kubevirt.io',
  version: 'v1',
  kind: 'KubeVirt',
  plural: 'kubevirts',
  namespaced: true,
})

const KUBEVIRT_CRD: CustomResourceDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'kubevirts.kubevirt.io' },
  spec: {
    group: 'kubevirt.io',
    scope: 'Namespaced',
    names: { kind: 'KubeVirt', plural: 'kubevirts', singular: 'kubevirt' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}

const report = z.object({
  ok: z.boolean(),
  checks: z.array(z.object({ check: z.string(), outcome: z.string(), found: z.string() })),
})

describe.skipIf(setupNeeded() !== undefined)('kilonova check', () => {
  const clock = new SystemClock()
  const log = loggerTo(() => undefined, { format: 'text', level: 'error' })
  let plane: ControlPlane
  let nats: NatsServer
  let client: HttpKubeClient
  let api: Transport

  beforeAll(async () => {
    const users = [{ name: 'nobody' }]
    ;[plane, nats] = await Promise.all([startControlPlane({ users }), startNats()])
    client = HttpKubeClient.fromKubeConfig(loadKubeConfig({ path: plane.kubeconfigPath }), { clock })
    // The control plane makes the streams.
    api = openTransport(nats.url, { clock, log }, { sender: { service: 'api' } })
    await api.roundTrip()
  })
  afterAll(async () => {
    await api?.close()
    await client?.close()
    await Promise.all([plane?.stop(), nats?.stop()])
  })

  async function check(
    args: readonly string[] = [],
    kubeconfig = plane.kubeconfigPath,
  ): Promise<{ readonly code: number; readonly text: string }> {
    const options = ['--kubeconfig', kubeconfig, '--messaging', nats.url, '--check-timeout', '2']
    const { promise, resolve } = Promise.withResolvers<{ code: number; text: string }>()
    const child = execFile(
      process.execPath,
      [MAIN, 'check', ...options, ...args],
      (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, text: stdout + stderr })
      },
    )
    return promise
  }
  const outcomes = async (): Promise<{ code: number; of: Readonly<Record<string, string>> }> => {
    const { code, text } = await check(['--output', 'json'])
    const { ok, checks } = report.parse(JSON.parse(text))
    expect(ok).toBe(code === 0)
    return { code, of: Object.fromEntries(checks.map((one) => [one.check, one.outcome])) }
  }
  /** The stand-in for KubeVirt's definitions has none of KubeVirt itself. */
  const kubevirt = (): CustomResourceDefinition[] => {
    const crds: CustomResourceDefinition[] = kubevirtCrdFiles().map((file) =>
      parse(readFileSync(file, 'utf8')),
    )
    return crds.some(({ metadata }) => metadata.name === KUBEVIRT_CRD.metadata.name)
      ? crds
      : [...crds, KUBEVIRT_CRD]
  }

  it('lists what an empty cluster lacks, a line each, and how to get it', async () => {
    const { code, text } = await check()

    expect(code).toBe(1)
    expect(text).toMatch(/^ok +Kubernetes +v1\.\d+\.\d+/m)
    expect(text).toMatch(/^missing +definitions +no ComputeNode, .*Instance.*; install the chart/m)
    expect(text).toMatch(/^missing +KubeVirt +not installed: .*; install it, see https:/m)
    expect(text).toMatch(/^missing +nodes +none of 0 is schedulable/m)
    expect(text).toMatch(/^ok +messaging +a message went round in \d+ ms/m)
    for (const line of text.trimEnd().split('\n')) expect(line).toMatch(/^(ok|warn|missing) {2,}\S/)
  })

  it('finds the definitions of this build as the API server keeps them, and no others', async () => {
    await installCrds({ client, clock }, kilonovaCrds(), { replace: false })
    expect((await outcomes()).of).toMatchObject({ definitions: 'ok', KubeVirt: 'missing', agents: 'missing' })

    const name = 'flavors.compute.kilonova.dev'
    const older = await client.get(CRD, { name })
    const text = JSON.stringify(older).replace('"type":"integer"', '"type":"number"')
    await client.replace(CRD, JSON.parse(text) as CustomResourceDefinition)

    expect((await outcomes()).of).toMatchObject({ definitions: 'missing' })
    await installCrds({ client, clock }, kilonovaCrds(), { replace: true })
    expect((await outcomes()).of).toMatchObject({ definitions: 'ok' })
  })

  it('finds KubeVirt once it is deployed, nodes, agents, flavors and images', async () => {
    await installCrds({ client, clock }, kubevirt(), { replace: false })
    await Promise.all([seedCatalogue(client), createNode(client, 'node-1', toTimestamp(clock.now()))])
    const before = await outcomes()
    expect(before.code).toBe(1)
    expect(before.of).toMatchObject({
      KubeVirt: 'ok',
      'KubeVirt state': 'missing',
      nodes: 'ok',
      KVM: 'ok',
      agents: 'missing',
      flavors: 'ok',
      images: 'ok',
      policies: 'warn',
    })

    const ref = { namespace: 'default', name: 'kubevirt' }
    const manifest = { apiVersion: 'kubevirt.io/v1', kind: 'KubeVirt', metadata: ref, spec: {} }
    await eventually('KubeVirt resources are served', () => client.create(KUBEVIRT, manifest))
    await client.mergePatch(KUBEVIRT, ref, { status: { phase: 'Deployed' } }, { subresource: 'status' })
    const node = { name: 'node-1' }
    const computeNode = {
      apiVersion: 'compute.kilonova.dev/v1alpha1',
      kind: 'ComputeNode',
      metadata: node,
      spec: {},
    }
    await client.create(COMPUTE_NODE, computeNode as ComputeNode)
    await client.mergePatch(COMPUTE_NODE, node, { status: { state: 'up' } }, { subresource: 'status' })

    const after = await outcomes()
    expect(after.of).toMatchObject({ 'KubeVirt state': 'ok', agents: 'ok' })
    // What is left are warnings.
    expect(after.code).toBe(0)
  })

  it('says that the broker is away, and sees it come back', async () => {
    await nats.kill()
    const { code, text } = await check()
    expect(code).toBe(1)
    expect(text).toMatch(/^missing +messaging +.*no message broker/m)

    await nats.restart()
    await eventually('a message goes round again', async () => (await outcomes()).of.messaging === 'ok')
  })

  it('says what it may not see', async () => {
    const nobody = plane.users.get('nobody')?.kubeconfigPath
    const { code, text } = await check([], nobody)

    expect(code).toBe(1)
    expect(text).toMatch(/^unknown +nodes +nodes is forbidden: .*; ask as somebody who may read it/m)
  })

  it('says that Kubernetes does not answer', async () => {
    await plane.kill()

    const { code, text } = await check()

    expect(code).toBe(1)
    expect(text).toMatch(/^missing +Kubernetes +.*ECONNREFUSED/m)
    expect(text).toMatch(/^ok +messaging /m)
  })
})
