/**
 * Generates src/apis/v1alpha1/<kind>.ts from crds/*.yaml, the source of truth. `--check` changes nothing and
 * fails when a file is not current.
 *
 * The types describe what is read from the API server: a property with a default is always there.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'

interface Schema {
  readonly type?: string | undefined
  readonly description?: string | undefined
  readonly enum?: readonly string[] | undefined
  readonly required?: readonly string[] | undefined
  readonly properties?: Readonly<Record<string, Schema>> | undefined
  readonly additionalProperties?: Schema | boolean | undefined
  readonly items?: Schema | undefined
  readonly default?: unknown
}

const schema: z.ZodType<Schema> = z.lazy(() =>
  z.object({
    type: z.string().optional(),
    description: z.string().optional(),
    enum: z.array(z.string()).optional(),
    required: z.array(z.string()).optional(),
    properties: z.record(z.string(), schema).optional(),
    additionalProperties: z.union([schema, z.boolean()]).optional(),
    items: schema.optional(),
    default: z.unknown().optional(),
  }),
)

const crd = z.object({
  spec: z.object({
    group: z.string(),
    scope: z.enum(['Namespaced', 'Cluster']),
    names: z.object({ kind: z.string(), plural: z.string() }),
    versions: z.tuple([z.object({ name: z.string(), schema: z.object({ openAPIV3Schema: schema }) })]),
  }),
})

const SCALARS: Readonly<Record<string, string>> = {
  string: 'string',
  integer: 'number',
  number: 'number',
  boolean: 'boolean',
}

/** `spec.powerState` of Instance becomes InstancePowerState: nested objects and enums get names of their own. */
class TypeWriter {
  readonly #declarations: string[] = []

  declarations(): string {
    return this.#declarations.join('\n')
  }

  typeOf(node: Schema, name: string): string {
    if (node.enum) {
      this.#declarations.push(`export type ${name} = ${node.enum.map((v) => `'${v}'`).join(' | ')}\n`)
      return name
    }
    if (node.type === 'array' && node.items) {
      return `readonly ${this.typeOf(node.items, name.replace(/(ss)es$|s$/, '$1'))}[]`
    }
    if (node.type === 'object' && node.properties) return this.#interface(node, name)
    if (node.type === 'object') {
      const value =
        typeof node.additionalProperties === 'object'
          ? this.typeOf(node.additionalProperties, name)
          : 'unknown'
      return `Readonly<Record<string, ${value}>>`
    }
    return SCALARS[node.type ?? ''] ?? 'unknown'
  }

  #interface(node: Schema, name: string): string {
    const lines = Object.entries(node.properties ?? {}).map(([key, child]) => {
      const present = node.required?.includes(key) || child.default !== undefined
      const comment = child.description ? `  /** ${child.description} */\n` : ''
      const type = this.typeOf(child, name + key.charAt(0).toUpperCase() + key.slice(1))
      return `${comment}  readonly ${key}${present ? '' : '?'}: ${type}\n`
    })
    this.#declarations.push(`export interface ${name} {\n${lines.join('')}}\n`)
    return name
  }
}

/** Through the project's formatter, so that `npm run format` leaves the files as they are. */
function formatted(source: string): string {
  const biome = 'node_modules/.bin/biome'
  return execFileSync(biome, ['format', '--stdin-file-path=generated.ts'], {
    input: source,
    encoding: 'utf8',
  })
}

function generate(text: string): { kind: string; source: string } {
  const { group, scope, names, versions } = crd.parse(parse(text)).spec
  const [version] = versions
  const root = version.schema.openAPIV3Schema
  const writer = new TypeWriter()
  const fields = ['spec', 'status'].flatMap((field) => {
    const node = root.properties?.[field]
    if (!node) return []
    const present = root.required?.includes(field) || node.default !== undefined
    const type = writer.typeOf(node, names.kind + field.charAt(0).toUpperCase() + field.slice(1))
    return [`  readonly ${field}${present ? '' : '?'}: ${type}\n`]
  })
  const constant = names.kind.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase()
  const source = `// Generated from crds/${group}_${names.plural}.yaml by \`npm run generate\`. Do not edit.
import { defineResource, type KubeObject } from '../../kube/resource.ts'

${writer.declarations()}
/** ${root.description ?? ''} */
export interface ${names.kind} extends KubeObject {
${fields.join('')}}

export const ${constant} = defineResource<${names.kind}>({
  group: '${group}',
  version: '${version.name}',
  kind: '${names.kind}',
  plural: '${names.plural}',
  namespaced: ${scope === 'Namespaced'},
})
`
  return { kind: names.kind, source: formatted(source) }
}

const check = process.argv.includes('--check')
const stale: string[] = []
for (const file of globSync('crds/*.yaml').sort()) {
  const { kind, source } = generate(readFileSync(file, 'utf8'))
  const target = `src/apis/v1alpha1/${kind.replace(/([a-z])([A-Z])/g, '$1-$2').toLowerCase()}.ts`
  if (existsSync(target) && readFileSync(target, 'utf8') === source) continue
  if (check) stale.push(target)
  else writeFileSync(target, source)
}
if (stale.length > 0) {
  console.error(`Not current: ${stale.join(', ')}. Run: npm run generate`)
  process.exitCode = 1
}
