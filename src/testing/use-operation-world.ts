import { afterEach, beforeEach } from 'vitest'
import { OperationWorld } from './operation-world.ts'
import { kube, useKube } from './use-kube.ts'

/** The agents of the test that runs. */
export let world: OperationWorld

/** Makes new agents before each test of a file, on one API server for all. */
export function useOperationWorld(): void {
  useKube(() => OperationWorld.prepare(kube))
  beforeEach(async () => {
    world = new OperationWorld(kube)
    await world.start()
  })
  afterEach(() => world.close())
}
