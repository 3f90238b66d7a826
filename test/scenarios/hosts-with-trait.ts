import { expect } from 'vitest'
import { setComputeNode } from './catalogue.ts'
import type { Project } from './instances.ts'
import { hostsOf, type World } from './world.ts'

/** The hosts of a world, of which two have a trait and one has it not. */
export class HostsWithTrait {
  readonly #world: World
  readonly able: readonly string[]
  readonly unable: string

  private constructor(world: World) {
    const [first = '', second = '', third = ''] = hostsOf(world)
    this.#world = world
    this.able = [first, second]
    this.unable = third
  }

  static async give(world: World, trait: string): Promise<HostsWithTrait> {
    const hosts = new HostsWithTrait(world)
    for (const host of hosts.able) await setComputeNode(world, host, { traits: [trait] })
    return hosts
  }

  async takeBack(): Promise<void> {
    for (const host of this.able) await setComputeNode(this.#world, host, { traits: null })
  }

  /** The other of those that have it. */
  otherThan(host: string | undefined): readonly string[] {
    return this.able.filter((one) => one !== host)
  }

  /** That an instance may go only where the trait is, and carries the same of its flavor and its image when it has gone. */
  async expectOnlyThese(project: Project, name: string): Promise<void> {
    const { status: before } = await project.get(name)
    const refused = await project.done({ action: 'live-migration', instance: name, host: this.unable })
    expect(refused.status).toMatchObject({ result: 'Error' })
    expect(refused.status?.message).toContain('TraitsFilter took out 1')

    const { status } = await project.perform({ action: 'live-migration', instance: name })

    expect(this.otherThan(before.host)).toEqual([status.host])
    expect(status.flavor).toEqual(before.flavor)
    expect(status.imageMeta).toEqual(before.imageMeta)
  }
}
