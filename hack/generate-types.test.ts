import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'

const SCRIPT = join(import.meta.dirname, 'generate-types.ts')
const ROOT = join(import.meta.dirname, '..')

const CRD = `
spec:
  group: example.dev
  scope: Cluster
  names: { kind: FlowerPot, plural: flowerpots }
  versions:
    - name: v1
      schema:
        openAPIV3Schema:
          description: Holds a flower.
          type: object
          required: [spec]
          properties:
            spec:
              type: object
              required: [size]
              properties:
                size: { type: integer, description: In litres. }
                color: { type: string, enum: [red, blue] }
                wet: { type: boolean, default: false }
                labels: { type: object, additionalProperties: { type: string } }
                addresses:
                  type: array
                  items: { type: object, required: [street], properties: { street: { type: string } } }
`

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kilonova-types-'))
  mkdirSync(join(folder, 'crds'))
  mkdirSync(join(folder, 'src/apis/v1alpha1'), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  cpSync(join(ROOT, 'biome.json'), join(folder, 'biome.json'))
  writeFileSync(join(folder, 'crds/example.dev_flowerpots.yaml'), CRD)
})
afterEach(() => rmSync(folder, { recursive: true }))

const target = (): string => join(folder, 'src/apis/v1alpha1/flower-pot.ts')

function generate(...args: string[]): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, [SCRIPT, ...args], { cwd: folder, encoding: 'utf8' })
}

it('the types in the repository are those of its definitions', () => {
  expect(() => execFileSync(process.execPath, [SCRIPT, '--check'], { cwd: ROOT })).not.toThrow()
})

it('writes what is read from the API server: required and defaulted fields are always there', () => {
  expect(generate()).toMatchObject({ status: 0 })

  expect(
    readFileSync(target(), 'utf8'),
  ).toBe(`// Generated from crds/example.dev_flowerpots.yaml by \`npm run generate\`. Do not edit.
import { defineResource, type KubeObject } from '../../kube/resource.ts'

export type FlowerPotSpecColor = 'red' | 'blue'

export interface FlowerPotSpecAddress {
  readonly street: string
}

export interface FlowerPotSpec {
  /** In litres. */
  readonly size: number
  readonly color?: FlowerPotSpecColor
  readonly wet: boolean
  readonly labels?: Readonly<Record<string, string>>
  readonly addresses?: readonly FlowerPotSpecAddress[]
}

/** Holds a flower. */
export interface FlowerPot extends KubeObject {
  readonly spec: FlowerPotSpec
}

export const FLOWER_POT = defineResource<FlowerPot>({
  group: 'example.dev',
  version: 'v1',
  kind: 'FlowerPot',
  plural: 'flowerpots',
  namespaced: false,
})
`)
})

it('--check names what is not current and changes nothing', () => {
  generate()
  writeFileSync(target(), '// edited by hand\n')

  const { status, stderr } = generate('--check')

  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: 'Not current: src/apis/v1alpha1/flower-pot.ts. Run: npm run generate\n',
  })
  expect(readFileSync(target(), 'utf8')).toBe('// edited by hand\n')
})
