import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FLAVOR } from '../../src/apis/v1alpha1/flavor.ts'
import type { Instance } from '../../src/apis/v1alpha1/instance.ts'
import { leave } from './audit.ts'
import { makeFlavor } from './catalogue.ts'
import { makeProject, type Project } from './instances.ts'
import { HostsWithTrait } from './hosts-with-trait.ts'
import { launchUntil } from './launch-until.ts'
import type { MakeWorld, World } from './world.ts'

const SMALL = { vcpus: 1, memoryMb: 512, diskGb: 1 }
const PLAIN = { vcpus: 1, memoryMb: 1024, diskGb: 1 }
const NVME = { 'trait:CUSTOM_NVME': 'required' }

/** Nova's instance.flavor: an instance goes by the flavor it was launched or resized with, whatever became of that. */
export function describeCarriedFlavors(makeWorld: MakeWorld): void {
  describe('the flavor that an instance carries', () => {
    let world: World
    let project: Project
    /** Those that have what is asked for, and the one that has it not. */
    let hosts: HostsWithTrait

    beforeAll(async () => {
      world = await makeWorld()
      project = await makeProject(world)
      hosts = await HostsWithTrait.give(world, 'CUSTOM_NVME')
    })
    afterAll(async () => {
      await hosts.takeBack()
      await leave(world)
    })

    async function launchWithNvme(name: string, flavor: string): Promise<Instance> {
      await makeFlavor(world, flavor, { ...SMALL, extraSpecs: NVME })
      const launched = await launchUntil(
        project,
        name,
        { flavor },
        ({ status }) => status.vmState === 'active',
      )
      expect(launched.status.flavor?.extraSpecs).toEqual(NVME)
      expect(hosts.able).toContain(launched.status.host)
      return launched
    }

    it('stays as it was when the Flavor’s extra specs change, which is for who comes later', async () => {
      await launchWithNvme('early', 'changing')
      await world.client.mergePatch(
        FLAVOR,
        { name: 'changing' },
        { spec: { extraSpecs: { 'trait:CUSTOM_NVME': 'forbidden' } } },
      )
      const late = await launchUntil(
        project,
        'late',
        { flavor: 'changing' },
        ({ status }) => status.host === hosts.unable,
      )
      expect(late.status.flavor?.extraSpecs).toEqual({ 'trait:CUSTOM_NVME': 'forbidden' })

      await hosts.expectOnlyThese(project, 'early')
    })

    describe('whose Flavor was deleted', () => {
      beforeAll(async () => {
        await makeFlavor(world, 'plain', PLAIN)
        await launchWithNvme('kept', 'passing')
        await world.client.delete(FLAVOR, { name: 'passing' })
        await launchUntil(
          project,
          'none',
          { flavor: 'passing' },
          ({ status }) => status.fault?.reason === 'FlavorNotFound',
        )
      })

      it('is what a live migration goes by', async () => {
        await hosts.expectOnlyThese(project, 'kept')
      })

      it('is what a rebuild is of, and what it comes back from the shelf by', async () => {
        await project.perform({ action: 'rebuild', instance: 'kept', image: 'cirros' })
        await project.perform({ action: 'shelve', instance: 'kept' })
        await project.untilState('kept', 'shelved_offloaded')
        const { status } = await project.perform({ action: 'unshelve', instance: 'kept' })
        expect(hosts.able).toContain(status.host)
        const { status: record } = await project.actionEnd('kept', 'unshelve')
        expect(record?.placement?.filters).toContainEqual({
          name: 'TraitsFilter',
          removed: 1,
          reasons: [expect.stringContaining('CUSTOM_NVME')],
        })
      })

      it('gives way to another by a resize, extra specs and all, and is back by a revert', async () => {
        await project.patch('kept', { flavor: 'plain' })
        const resized = await project.untilState('kept', 'resized')
        expect(resized.status.flavor).toEqual({ name: 'plain', ...PLAIN, extraSpecs: {} })

        const { status, spec } = await project.perform({ action: 'revertResize', instance: 'kept' })

        expect(status.flavor).toEqual({ name: 'passing', ...SMALL, extraSpecs: NVME })
        expect(spec.flavor).toBe('passing')
      })
    })
  })
}
