import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IMAGE } from '../../src/apis/v1alpha1/image.ts'
import type { Instance } from '../../src/apis/v1alpha1/instance.ts'
import { leave } from './audit.ts'
import { makeFlavor, makeImage, setComputeNode, untilComputeNode } from './catalogue.ts'
import { makeProject, type Project } from './instances.ts'
import { HostsWithTrait } from './hosts-with-trait.ts'
import { launchUntil } from './launch-until.ts'
import type { MakeWorld, World } from './world.ts'

const PROPERTIES = { traits_required: ['CUSTOM_GPU'], img_config_drive: 'mandatory' } as const

/** Nova's instance.image_meta: an instance goes by the image it was launched or rebuilt from, whatever became of that. */
export function describeCarriedImages(makeWorld: MakeWorld): void {
  describe('the image that an instance carries', () => {
    let world: World
    let project: Project
    /** Those that have what is asked for, and the one that has it not. */
    let hosts: HostsWithTrait

    beforeAll(async () => {
      world = await makeWorld()
      project = await makeProject(world)
      hosts = await HostsWithTrait.give(world, 'CUSTOM_GPU')
      await makeFlavor(world, 'm1.larger', { vcpus: 1, memoryMb: 2048, diskGb: 20 })
      await makeFlavor(world, 'm1.lean', { vcpus: 1, memoryMb: 64, diskGb: 20 })
    })
    afterAll(async () => {
      await hosts.takeBack()
      await leave(world)
    })

    async function launchWithGpu(name: string, image: string): Promise<Instance> {
      await makeImage(world, image, { minRamMb: 128, properties: PROPERTIES })
      const launched = await launchUntil(
        project,
        name,
        { image },
        ({ status }) => status.vmState === 'active',
      )
      expect(hosts.able).toContain(launched.status.host)
      expect(launched.status.imageMeta).toEqual({
        name: image,
        minRamMb: 128,
        minDiskGb: 0,
        disk: { kind: 'containerDisk', image: 'cirros' },
        properties: PROPERTIES,
      })
      return launched
    }

    /** Deletes it, and waits until a launch does not find it any more. */
    async function deleteImage(image: string): Promise<void> {
      await world.client.delete(IMAGE, { name: image })
      const isTold = ({ status }: Instance): boolean => status.fault?.reason === 'ImageNotFound'
      await launchUntil(project, `none-of-${image}`, { image }, isTold)
    }

    it('stays as it was when the Image changes', async () => {
      await launchWithGpu('steady', 'changing')
      await world.client.mergePatch(
        IMAGE,
        { name: 'changing' },
        { spec: { minRamMb: 999_999, properties: { traits_required: [], img_config_drive: null } } },
      )
      const isTold = ({ status }: Instance): boolean => status.fault?.reason === 'FlavorMemoryTooSmall'
      await launchUntil(project, 'late', { image: 'changing' }, isTold)

      await hosts.expectOnlyThese(project, 'steady')
    })

    describe('whose Image was deleted', () => {
      let launched: Instance

      beforeAll(async () => {
        launched = await launchWithGpu('kept', 'passing')
        await deleteImage('passing')
      })

      it('is what a live migration goes by', async () => {
        await hosts.expectOnlyThese(project, 'kept')
      })

      it('is what a migration goes by, and its way back', async () => {
        const { status: before } = await project.get('kept')
        const { status } = await project.perform({ action: 'migrate', instance: 'kept' })
        expect(hosts.otherThan(before.host)).toEqual([status.host])
        const back = await project.perform({ action: 'revertResize', instance: 'kept' })
        expect(back.status).toMatchObject({ vmState: 'active', host: before.host })
      })

      it('is what a resize has to fit, and goes by', async () => {
        await project.patch('kept', { flavor: 'm1.lean' })
        const { status: refused } = await project.actionEnd('kept', 'resize')
        expect(refused?.message).toContain('image passing needs 128 MiB.')
        const { status: before } = await project.untilState('kept', 'active')

        await project.patch('kept', { flavor: 'm1.larger' })

        const { status } = await project.untilState('kept', 'resized')
        expect(hosts.otherThan(before.host)).toEqual([status.host])
        await project.perform({ action: 'confirmResize', instance: 'kept' })
      })

      it('is in the way of no stop, start or reboot', async () => {
        await project.patch('kept', { powerState: 'Shutdown' })
        await project.untilState('kept', 'stopped')
        await project.patch('kept', { powerState: 'Running' })
        await project.untilState('kept', 'active')
        await project.perform({ action: 'reboot', instance: 'kept', type: 'Hard' })
      })

      it('is what it is rescued with', async () => {
        const { status } = await project.perform({ action: 'rescue', instance: 'kept' })
        expect(status).toMatchObject({ vmState: 'rescued', powerState: 'RUNNING' })
        await project.perform({ action: 'unrescue', instance: 'kept' })
      })

      it('is what it comes back from the shelf by', async () => {
        await project.perform({ action: 'shelve', instance: 'kept' })
        await project.untilState('kept', 'shelved_offloaded')
        const { status } = await project.perform({ action: 'unshelve', instance: 'kept' })
        expect(hosts.able).toContain(status.host)
        const { status: record } = await project.actionEnd('kept', 'unshelve')
        expect(record?.placement?.filters).toContainEqual({
          name: 'TraitsFilter',
          removed: 1,
          reasons: [expect.stringContaining('CUSTOM_GPU')],
        })
      })

      it('is what an evacuation goes by', async () => {
        const { host = '' } = (await project.get('kept')).status
        await setComputeNode(world, host, { forcedDown: true })
        await untilComputeNode(world, host, 'down')
        try {
          await project.perform({ action: 'evacuate', instance: 'kept' })
          const { status } = await project.untilState('kept', 'active')
          expect(hosts.otherThan(host)).toEqual([status.host])
        } finally {
          await setComputeNode(world, host, { forcedDown: false })
          await untilComputeNode(world, host, 'up')
        }
      })

      it('is the same after all that, as is what the guest has of it', async () => {
        expect((await project.get('kept')).status.imageMeta).toEqual(launched.status.imageMeta)
        const { spec } = (await project.virtualMachine('kept')) ?? {}
        const volumes = spec?.template.spec.volumes ?? []
        expect(volumes.filter((volume) => 'cloudInitConfigDrive' in volume)).toHaveLength(1)
      })

      it('cannot be rebuilt from, which changes nothing', async () => {
        const before = await project.get('kept')
        const { status } = await project.done({ action: 'rebuild', instance: 'kept', image: 'passing' })
        expect(status).toMatchObject({ result: 'Error', message: 'Image passing could not be found.' })
        expect((await project.get('kept')).status).toEqual(before.status)
      })

      it('gives way to that of a rebuild', async () => {
        const { status } = await project.perform({ action: 'rebuild', instance: 'kept', image: 'cirros' })
        expect(status.imageMeta).toMatchObject({ name: 'cirros' })
        expect(status.imageMeta?.properties).not.toHaveProperty('traits_required')
        await project.perform({ action: 'live-migration', instance: 'kept', host: hosts.unable })
      })
    })

    it('of a snapshot that went with its Image is none to rescue with: another is asked for', async () => {
      await makeImage(world, 'carried', { dataVolume: { http: { url: 'https://example.com/disk.img' } } })
      await project.launch('original', { image: 'carried' })
      const copy = `${project.namespace}-copy`
      await project.perform({ action: 'createImage', instance: 'original', imageName: copy })
      await project.launch('copied', { image: copy })
      await deleteImage(copy)
      const before = await project.get('copied')

      const { status } = await project.done({ action: 'rescue', instance: 'copied' })

      expect(status).toMatchObject({
        result: 'Error',
        message: `Image ${copy} could not be found. Name another image to rescue the instance with.`,
      })
      expect((await project.get('copied')).status).toEqual(before.status)
      const rescued = await project.perform({ action: 'rescue', instance: 'copied', image: 'carried' })
      expect(rescued.status.vmState).toBe('rescued')
      await project.perform({ action: 'unrescue', instance: 'copied' })
      await project.perform({ action: 'migrate', instance: 'copied' })
      await project.perform({ action: 'confirmResize', instance: 'copied' })
    })
  })
}
