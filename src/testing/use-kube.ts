import { afterAll, beforeAll } from 'vitest'
import { EmbeddedKube } from './embedded-kube.ts'

/** The API server of the tests that run. */
export let kube: EmbeddedKube

/** Starts an API server before the tests of a file, with what they all need in it, and ends it after them. */
export function useKube(prepare?: () => Promise<unknown>): void {
  beforeAll(async () => {
    kube = await EmbeddedKube.start()
    await prepare?.()
  })
  afterAll(() => kube?.close())
}
