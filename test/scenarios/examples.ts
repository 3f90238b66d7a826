import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { COMPUTE_QUOTA } from '../../src/apis/v1alpha1/compute-quota.ts'
import { FLAVOR } from '../../src/apis/v1alpha1/flavor.ts'
import { HOST_AGGREGATE } from '../../src/apis/v1alpha1/host-aggregate.ts'
import { IMAGE } from '../../src/apis/v1alpha1/image.ts'
import { INSTANCE, type Instance } from '../../src/apis/v1alpha1/instance.ts'
import { SERVER_GROUP } from '../../src/apis/v1alpha1/server-group.ts'
import type { KubeObject, ResourceType } from '../../src/kube/resource.ts'
import { SECRET, VIRTUAL_MACHINE_INSTANCE } from '../../src/virt/kubevirt/resources.ts'
import { leave } from './audit.ts'
import { makeProject, type Project } from './instances.ts'
import type { MakeWorld, World } from './world.ts'

const FOLDER = join(import.meta.dirname, '../../examples')
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'))
const KINDS: Readonly<Record<string, ResourceType<KubeObject>>> = {
  Flavor: FLAVOR as ResourceType<KubeObject>,
  Image: IMAGE as ResourceType<KubeObject>,
  Instance: INSTANCE as ResourceType<KubeObject>,
  ServerGroup: SERVER_GROUP as ResourceType<KubeObject>,
  HostAggregate: HOST_AGGREGATE as ResourceType<KubeObject>,
  ComputeQuota: COMPUTE_QUOTA as ResourceType<KubeObject>,
}

/** Every file of examples/ does what it promises. */
export function describeExamples(makeWorld: MakeWorld): void {
  describe('the examples', () => {
    let world: World
    let project: Project

    beforeAll(async () => {
      world = await makeWorld()
      project = await makeProject(world)
    })
    afterAll(() => leave(world))

    it.each(FILES)('%s can be applied', async (file) => {
      for (const object of read(file)) {
        const type = KINDS[object.kind]
        if (!type) throw new Error(`no test knows what to expect of a ${object.kind}`)
        const namespace = type.namespaced ? { namespace: project.namespace } : {}
        await world.client.create(type, { ...object, metadata: { ...object.metadata, ...namespace } })
      }
    })

    it.each(instances())('$metadata.name becomes active', async ({ metadata, spec }) => {
      const { status } = await project.untilState(metadata.name, 'active')

      expect(status).toMatchObject({ status: 'ACTIVE', powerState: 'RUNNING', flavor: { name: spec.flavor } })
    })

    it('the one with user data has its host name, its labels, and the data in a Secret', async () => {
      const { spec, metadata, status } = await project.get('build-agent')
      const ref = { namespace: project.namespace, name: 'build-agent' }

      const vmi = await world.client.get(VIRTUAL_MACHINE_INSTANCE, ref)
      expect(vmi.spec.hostname).toBe('agent-1')
      const secret = await world.client.get(SECRET, {
        ...ref,
        name: `kilonova-user-data-${metadata.uid}-${status.host}`,
      })
      expect(secret.data).toEqual({ userdata: spec.userData })
      expect(JSON.stringify(vmi.spec)).toContain(secret.metadata.name)
      expect(metadata.labels).toMatchObject({ team: 'ci' })
      expect(status).toMatchObject({ shutdownTimeoutSeconds: 120 })
    })
  })
}

function read(file: string): readonly KubeObject[] {
  const text = readFileSync(join(FOLDER, file), 'utf8')
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject)
}

function instances(): readonly Instance[] {
  return FILES.flatMap(read).filter((object): object is Instance => object.kind === 'Instance')
}
