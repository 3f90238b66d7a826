import { expect, it } from 'vitest'
import { MemoryKubeClient } from '../testing/memory-kube-client.ts'
import { isConflict } from './api-error.ts'
import { defineResource, type KubeObject } from './resource.ts'
import { patchStatus } from './status-writer.ts'

interface Note extends KubeObject {
  status?: { state: string }
}
const NOTE = defineResource<Note>({
  group: 'g.io',
  version: 'v1',
  kind: 'Note',
  plural: 'notes',
  namespaced: true,
})

it('writes when nobody wrote before, and leaves the status alone when somebody did', async () => {
  const client = new MemoryKubeClient()
  const note: Note = { apiVersion: 'g.io/v1', kind: 'Note', metadata: { namespace: 'ns', name: 'a' } }
  const read = await client.create(NOTE, note)

  const first = await patchStatus(client, NOTE, read, { state: 'first' })
  await expect(patchStatus(client, NOTE, read, { state: 'late' })).rejects.toSatisfy(isConflict)

  expect(await client.get(NOTE, note.metadata)).toEqual(first)
  expect(first.status).toEqual({ state: 'first' })
})
