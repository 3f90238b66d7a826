import type { RuleSet } from './cel/rules.ts'
import type { FieldError } from './field-error.ts'
import type { Json, JsonObject } from './json.ts'
import type { Schema } from './schema/structural.ts'

/** One column of `kubectl get`, and how its cell is made. */
export interface Column {
  readonly name: string
  readonly type: string
  readonly format?: string
  readonly description?: string
  readonly priority?: number
  readonly cell: (object: JsonObject, now: number) => Json
}

/** One served version of one kind. Versions of a kind share their objects, found by group and plural. */
export interface ResourceType {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly listKind: string
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly namespaced: boolean
  /** True when status is a subresource, so that each of status and the rest has writes of its own. */
  readonly hasStatus: boolean
  /** True when metadata.generation counts the changes of the desired state. */
  readonly hasGeneration: boolean
  readonly schema: Schema
  /** False when the schema is only there to be explained, as those of the builtin kinds are. */
  readonly enforcesSchema: boolean
  readonly rules: RuleSet | undefined
  readonly columns: readonly Column[]
  /** What a field selector may name besides metadata.name and metadata.namespace. */
  readonly selectableFields: ReadonlyMap<string, (object: JsonObject) => string>
  /** True for a kind defined by a CustomResourceDefinition. */
  readonly custom: boolean
  /** True when a delete answers with the object and not with a Status. */
  readonly returnsDeleted: boolean
  /** Fills in what the server sets by itself on a builtin kind; in place, before validation. */
  readonly prepare?: (object: JsonObject, old: JsonObject | undefined, now: number) => void
  /** Checks beyond the schema. */
  readonly validate?: (object: JsonObject, old: JsonObject | undefined) => FieldError[]
  /** The checks of metadata.name; DNS-1123 subdomain unless said otherwise. */
  readonly validateName?: (name: string) => string | undefined
}

/** `v1` or `group/version`. */
export function apiVersionOf(type: { readonly group: string; readonly version: string }): string {
  return type.group ? `${type.group}/${type.version}` : type.version
}

/** Identifies the objects of a kind, whichever of its versions is spoken. */
export function collectionKey(type: { readonly group: string; readonly plural: string }): string {
  return `${type.group}/${type.plural}`
}
