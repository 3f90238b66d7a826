import { ageOf } from './age.ts'
import { get, type Json, type JsonObject, metaOf } from './json.ts'
import type { Column, ResourceType } from './resource.ts'
import type { Stored } from './store.ts'

/** What a Table's rows carry beside their cells. */
export type IncludeObject = 'None' | 'Metadata' | 'Object'

const NAME_HELP =
  'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names'

/** The first column of every table. */
export const NAME_COLUMN: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: NAME_HELP,
  cell: (object) => get(object, 'metadata', 'name') ?? null,
}

/** The last column of most tables. */
export const AGE_COLUMN: Column = {
  name: 'Age',
  type: 'string',
  description: 'CreationTimestamp is a timestamp representing the server time when this object was created.',
  cell: (object, now) => ageOf(get(object, 'metadata', 'creationTimestamp'), now),
}

/** The columns of a table, as the first page or the first event of a watch carries them. */
export function columnDefinitions(type: ResourceType): JsonObject[] {
  return type.columns.map((column) => ({
    name: column.name,
    type: column.type,
    format: column.format ?? '',
    description: column.description ?? '',
    priority: column.priority ?? 0,
  }))
}

/** One row. Its cells depend on the time of day, so it is not kept. */
export function tableRow(
  type: ResourceType,
  object: JsonObject,
  options: { readonly now: number; readonly include: IncludeObject },
): JsonObject {
  const cells: Json[] = type.columns.map((column) => column.cell(object, options.now))
  if (options.include === 'None') return { cells, object: null }
  if (options.include === 'Object') return { cells, object }
  const partial = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: metaOf(object) }
  return { cells, object: partial }
}

/** A whole Table. Watches leave the columns out after the first event, as the real server does. */
export function table(
  rows: readonly JsonObject[],
  metadata: JsonObject,
  columns: JsonObject[] | null,
): JsonObject {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: columns,
    rows: [...rows],
  }
}

/** The Table of one object. */
export function singleTable(
  type: ResourceType,
  stored: Stored,
  options: { readonly now: number; readonly include: IncludeObject; readonly withColumns: boolean },
): JsonObject {
  const columns = options.withColumns ? columnDefinitions(type) : null
  const metadata = { resourceVersion: String(stored.resourceVersion) }
  return table([tableRow(type, stored.object, options)], metadata, columns)
}
