import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FLAVOR } from '../../src/apis/v1alpha1/flavor.ts'
import type { Instance } from '../../src/apis/v1alpha1/instance.ts'
import { leave } from './audit.ts'
import { makeFlavor, setComputeNode } from './catalogue.ts'
import { makeProject, type Project } from './instances.ts'
import { launchUntil } from './launch-until.ts'
import { hostsOf, type MakeWorld, type World } from './world.ts'

const SMALL = { vcpus: 1, memoryMb: 512, diskGb: 1 }
const PLAIN = { vcpus: 1, memoryMb: 1024, diskGb: 1 }
const NVME = { 'trait:CUSTOM_NVME': 'required' }

/** Nova's instance.flavor: an instance goes by the flavor it was launched or resized with, whatever became of that. */
export function describeCarriedFlavors(makeWorld: MakeWorld): void {
  describe('the flavor that an instance carries', () => {
    let world: World
    let project: Project
    /** The hosts that have what the flavors ask for, and the one that has it not. */
    let able: readonly string[]
    let unable: string

    beforeAll(async () => {
      world = await makeWorld()
      project = await makeProject(world)
      const [first = '', second = '', third = ''] = hostsOf(world)
      able = [first, second]
      unable = third
      for (const host of able) await setComputeNode(world, host, { traits: ['CUSTOM_NVME'] })
    })
    afterAll(async () => {
      for (const host of able) await setComputeNode(world, host, { traits: null })
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
      expect(able).toContain(launched.status.host)
      return launched
    }

    /** That it may go only where its flavor's extra specs of old are met. */
    async function expectToGoBy(name: string): Promise<void> {
      const { status: before } = await project.get(name)
      const refused = await project.done({ action: 'live-migration', instance: name, host: unable })
      expect(refused.status).toMatchObject({ result: 'Error' })
      expect(refused.status?.message).toContain('TraitsFilter took out 1')

      const { status } = await project.perform({ action: 'live-migration', instance: name })

      expect(able.filter((host) => host !== before.host)).toEqual([status.host])
      expect(status.flavor).toEqual(before.flavor)
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
        ({ status }) => status.host === unable,
      )
      expect(late.status.flavor?.extraSpecs).toEqual({ 'trait:CUSTOM_NVME': 'forbidden' })

      await expectToGoBy('early')
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
        await expectToGoBy('kept')
      })

      it('is what a rebuild is of, and what it comes back from the shelf by', async () => {
        await project.perform({ action: 'rebuild', instance: 'kept', image: 'cirros' })
        await project.perform({ action: 'shelve', instance: 'kept' })
        await project.untilState('kept', 'shelved_offloaded')
        const { status } = await project.perform({ action: 'unshelve', instance: 'kept' })
        expect(able).toContain(status.host)
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
