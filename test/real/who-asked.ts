import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { INSTANCE } from '../../src/apis/v1alpha1/instance.ts'
import { SystemClock } from '../../src/common/clock.ts'
import { HttpKubeClient } from '../../src/kube/http-client.ts'
import { loadKubeConfig } from '../../src/kube/kube-config.ts'
import { apiVersionOf, defineResource, type KubeObject } from '../../src/kube/resource.ts'
import { leave } from '../scenarios/audit.ts'
import { eventually } from '../scenarios/eventually.ts'
import { makeProject, type Project } from '../scenarios/instances.ts'
import type { MakeWorld, World } from '../scenarios/world.ts'

interface RoleBinding extends KubeObject {
  readonly roleRef: object
  readonly subjects: readonly object[]
}

const ROLE_BINDING = defineResource<RoleBinding>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'RoleBinding',
  plural: 'rolebindings',
  namespaced: true,
})

const kubeconfig = z.looseObject({ users: z.array(z.looseObject({ user: z.looseObject({}) })) })

/** What a user with the chart's edit role asks for is done, logged and recorded in that user's name. */
export function describeWhoAsked(makeWorld: MakeWorld): void {
  describe('what alice asks for', () => {
    let world: World
    let project: Project
    let alice: HttpKubeClient

    beforeAll(async () => {
      world = await makeWorld()
      project = await makeProject(world)
      alice = await openAs('alice')
    })
    afterAll(async () => {
      await alice.close()
      await leave(world)
    })

    /** The administrator may speak for anybody. */
    async function openAs(name: string): Promise<HttpKubeClient> {
      const apiGroup = 'rbac.authorization.k8s.io'
      await world.client.create(ROLE_BINDING, {
        apiVersion: apiVersionOf(ROLE_BINDING),
        kind: ROLE_BINDING.kind,
        metadata: { namespace: project.namespace, name },
        roleRef: { apiGroup, kind: 'ClusterRole', name: 'kilonova-edit' },
        subjects: [{ apiGroup, kind: 'User', name }],
      })
      const config = kubeconfig.parse(parse(readFileSync(world.kubeconfigPath, 'utf8')))
      const path = `${world.kubeconfigPath}-${name}`
      const users = config.users.map((one) => ({ ...one, user: { ...one.user, as: name } }))
      writeFileSync(path, stringify({ ...config, users }), { mode: 0o600 })
      return HttpKubeClient.fromKubeConfig(loadKubeConfig({ path }), { clock: new SystemClock() })
    }

    it('is hers in every log and in its record', async () => {
      const ref = { namespace: project.namespace, name: 'hers' }
      await eventually('she may', async () => {
        return alice.create(INSTANCE, {
          apiVersion: apiVersionOf(INSTANCE),
          kind: INSTANCE.kind,
          metadata: ref,
          spec: { flavor: 'm1.tiny', image: 'cirros', powerState: 'Running' },
          status: {},
        })
      })

      const { status } = await project.untilState('hers', 'active')

      const line = `[${status.requestId} alice ${project.namespace}]`
      for (const name of ['nova-api', 'nova-scheduler', 'nova-conductor', `nova-compute-${status.host}`]) {
        await eventually(`${name} tells of it`, () => world.services.log(name).includes(line))
      }
      expect((await project.actionEnd('hers', 'create')).spec.user).toBe('alice')
      await alice.mergePatch(INSTANCE, ref, { spec: { powerState: 'Shutdown' } })
      await project.untilState('hers', 'stopped')
      expect((await project.actionEnd('hers', 'stop')).spec.user).toBe('alice')
    })

    it('is not hers when somebody else deletes it, and nobody’s as far as a record can tell', async () => {
      await world.client.delete(INSTANCE, { namespace: project.namespace, name: 'hers' })
      await project.untilGone('hers')

      expect((await project.actionEnd('hers', 'delete')).spec.user).toBe('-')
    })

    it('is the conductor’s when her guest shut itself down', async () => {
      await project.launch('idle')
      await world.standIn.guestPowersOff({ namespace: project.namespace, name: 'idle' })
      await project.untilState('idle', 'stopped')

      const { user } = (await project.actionEnd('idle', 'stop')).spec
      expect(user).toBe('system:serviceaccount:kilonova-system:kilonova-conductor')
    })
  })
}
