/** As much of JSON Schema (draft-07) as the chart's values need, and short ways to write it. */
export interface Schema {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly enum?: readonly (string | number)[]
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
}

/** A map of our own: a key that is not known is refused. */
export function object(description: string, properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', description, additionalProperties: false, properties }
}

/** What Kubernetes itself checks: a map or a list of its API. */
export function kubernetes(type: 'object' | 'array', description: string): Schema {
  return type === 'array' ? { type, description, items: { type: 'object' } } : { type, description }
}

export function mapOf(values: Schema, description: string): Schema {
  return { type: 'object', description, additionalProperties: values }
}

export function listOf(items: Schema, description: string): Schema {
  return { type: 'array', description, items }
}

export function text(description: string, pattern?: string): Schema {
  return { type: 'string', description, ...(pattern !== undefined && { pattern }) }
}

export function choice(description: string, values: readonly (string | number)[]): Schema {
  return { type: typeof values[0] === 'number' ? 'integer' : 'string', description, enum: values }
}

export function flag(description: string): Schema {
  return { type: 'boolean', description }
}

export function wholeNumber(description: string, minimum: number): Schema {
  return { type: 'integer', description, minimum }
}
