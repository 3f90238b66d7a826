import type { MakeWorld, World, WorldOptions } from './world.ts'

/** Hands the same world to all who want the same: for worlds that take long to make. */
export class SharedWorlds {
  readonly #make: MakeWorld
  readonly #worlds = new Map<string, Promise<World>>()

  constructor(make: MakeWorld) {
    this.#make = make
  }

  /** To be handed on as a MakeWorld. Who stops the world leaves it to the others. */
  readonly make = async (options: WorldOptions = {}): Promise<World> => {
    const key = JSON.stringify(options)
    const made = this.#worlds.get(key) ?? this.#make(options)
    this.#worlds.set(key, made)
    return { ...(await made), stop: async () => undefined }
  }

  /** Stops those that were made. */
  async stop(): Promise<void> {
    const made = await Promise.allSettled(this.#worlds.values())
    for (const one of made) if (one.status === 'fulfilled') await one.value.stop()
  }
}
