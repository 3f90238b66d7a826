import { Buffer } from 'node:buffer'
import type { JsonObject } from './json.ts'

/**
 * kubectl's imperative creates (`kubectl create namespace|configmap|secret|serviceaccount`) send protobuf and
 * nothing else, so these four kinds can be read from it. Everything is answered in JSON.
 */
export const PROTOBUF = 'application/vnd.kubernetes.protobuf'

const MAGIC = Buffer.from('k8s\0')

/** The objects that can be read: their fields by number. */
const KINDS: Readonly<Record<string, readonly FieldSpec[]>> = {
  Namespace: [],
  ServiceAccount: [],
  ConfigMap: [
    { number: 2, name: 'data', read: textMap },
    { number: 3, name: 'binaryData', read: bytesMap },
    { number: 4, name: 'immutable', read: flag },
  ],
  Secret: [
    { number: 2, name: 'data', read: bytesMap },
    { number: 3, name: 'type', read: text },
    { number: 4, name: 'stringData', read: textMap },
    { number: 5, name: 'immutable', read: flag },
  ],
}

const METADATA: readonly FieldSpec[] = [
  { number: 1, name: 'name', read: text },
  { number: 2, name: 'generateName', read: text },
  { number: 3, name: 'namespace', read: text },
  { number: 11, name: 'labels', read: textMap },
  { number: 12, name: 'annotations', read: textMap },
]

interface FieldSpec {
  readonly number: number
  readonly name: string
  /** Reads all occurrences of the field. */
  readonly read: (values: readonly Wire[]) => JsonObject[string]
}

type Wire = Buffer | number

/** Decodes a Kubernetes protobuf body; undefined when it is of a kind that is not known here. */
export function decodeProtobuf(body: Buffer): JsonObject | undefined {
  if (!body.subarray(0, 4).equals(MAGIC)) return undefined
  const envelope = fieldsOf(body.subarray(4))
  const typeMeta = fieldsOf(bytesOf(envelope.get(1)?.[0]))
  const kind = text(typeMeta.get(2) ?? [])
  const specs = KINDS[kind]
  if (!specs) return undefined
  const raw = fieldsOf(bytesOf(envelope.get(2)?.[0]))
  const metadata = readFields(fieldsOf(bytesOf(raw.get(1)?.[0])), METADATA)
  return { apiVersion: text(typeMeta.get(1) ?? []), kind, metadata, ...readFields(raw, specs) }
}

function readFields(fields: ReadonlyMap<number, readonly Wire[]>, specs: readonly FieldSpec[]): JsonObject {
  const object: JsonObject = {}
  for (const { number, name, read } of specs) {
    const values = fields.get(number)
    if (values) object[name] = read(values)
  }
  return object
}

/** A message's fields by number: byte strings for length-delimited ones, numbers for varints. */
function fieldsOf(message: Buffer): Map<number, Wire[]> {
  const fields = new Map<number, Wire[]>()
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = message[at++]
      if (byte === undefined) throw new RangeError('protobuf message is cut short')
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new RangeError('protobuf varint is too long')
  }
  while (at < message.length) {
    const tag = varint()
    const length = tag % 8 === 2 ? varint() : undefined
    let value: Wire
    if (length === undefined) value = varint()
    else {
      value = message.subarray(at, at + length)
      at += length
    }
    const number = Math.floor(tag / 8)
    fields.set(number, [...(fields.get(number) ?? []), value])
  }
  return fields
}

function bytesOf(value: Wire | undefined): Buffer {
  return value === undefined || typeof value === 'number' ? Buffer.alloc(0) : value
}

function text(values: readonly Wire[]): string {
  return bytesOf(values.at(-1)).toString('utf8')
}

function flag(values: readonly Wire[]): boolean {
  return values.at(-1) === 1
}

function entries(values: readonly Wire[], encoding: 'utf8' | 'base64'): JsonObject {
  return Object.fromEntries(
    values.map((value) => {
      const entry = fieldsOf(bytesOf(value))
      return [text(entry.get(1) ?? []), bytesOf(entry.get(2)?.[0]).toString(encoding)]
    }),
  )
}

function textMap(values: readonly Wire[]): JsonObject {
  return entries(values, 'utf8')
}

function bytesMap(values: readonly Wire[]): JsonObject {
  return entries(values, 'base64')
}
