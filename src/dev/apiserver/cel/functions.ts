import { isIPv4, isIPv6 } from 'node:net'
import type { Environment } from '@marcbachmann/cel-js'
import { compilePattern } from '../schema/validate.ts'
import { Quantity } from './quantity.ts'

/** Adds the functions that Kubernetes has in CEL and the evaluator does not bring along. */
export function addKubernetesFunctions(env: Environment): void {
  addStringFunctions(env)
  addListFunctions(env)
  addQuantityFunctions(env)
  env.registerFunction('isURL(string): bool', (text: string) => URL.canParse(text))
  env.registerFunction('isIP(string): bool', (text: string) => bitsOf(text) > 0)
  env.registerFunction('isCIDR(string): bool', (text: string) => {
    const [address = '', bits = '', ...more] = text.split('/')
    return more.length === 0 && /^(0|[1-9]\d*)$/.test(bits) && Number(bits) <= bitsOf(address)
  })
}

/** 0 for what is no address to Kubernetes: one with a zone, or IPv4 written as IPv6, is none. */
function bitsOf(address: string): number {
  if (isIPv4(address)) return 32
  return isIPv6(address) && !address.includes('%') && !/^[0:]*:ffff:.*\./i.test(address) ? 128 : 0
}

function addStringFunctions(env: Environment): void {
  env.registerFunction('string.replace(string, string): string', (text: string, from: string, to: string) =>
    text.split(from).join(to),
  )
  env.registerFunction('string.find(string): string', (text: string, pattern: string) => {
    return compilePattern(pattern).exec(text)?.[0] ?? ''
  })
  env.registerFunction('string.findAll(string): list<string>', (text: string, pattern: string) => {
    return text.match(new RegExp(pattern, 'gu')) ?? []
  })
  env.registerFunction('string.charAt(int): string', (text: string, at: bigint) => text.charAt(Number(at)))
  env.registerFunction('string.format(list): string', (text: string, values: readonly unknown[]) => {
    let next = 0
    return text.replace(/%(?:\.(\d+))?([sdfxXbo%])/g, (_all, digits: string | undefined, verb: string) => {
      return verb === '%' ? '%' : formatOne(verb, values[next++], digits)
    })
  })
}

function formatOne(verb: string, value: unknown, digits: string | undefined): string {
  if (verb === 'f' && typeof value === 'number') return value.toFixed(Number(digits ?? 6))
  if (typeof value === 'bigint') {
    const radix = { x: 16, X: 16, b: 2, o: 8 }[verb] ?? 10
    const text = value.toString(radix)
    return verb === 'X' ? text.toUpperCase() : text
  }
  return celText(value)
}

/** A CEL value as `%s` prints it. */
function celText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => celText(item)).join(', ')}]`
  if (typeof value === 'string') return value
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'object' && value !== null) return JSON.stringify(value)
  return String(value)
}

type Ordered = string | number | bigint

function addListFunctions(env: Environment): void {
  const extreme = (list: readonly Ordered[], wins: (a: Ordered, b: Ordered) => boolean): Ordered => {
    const [first, ...rest] = list
    if (first === undefined) throw new Error('min/max called on empty list')
    return rest.reduce((best, item) => (wins(item, best) ? item : best), first)
  }
  env.registerFunction('list.min(): dyn', (list: readonly Ordered[]) => extreme(list, (a, b) => a < b))
  env.registerFunction('list.max(): dyn', (list: readonly Ordered[]) => extreme(list, (a, b) => a > b))
  env.registerFunction('list.sum(): dyn', (list: readonly Ordered[]) => {
    if (list.some((item) => typeof item === 'number'))
      return list.reduce<number>((sum, n) => sum + Number(n), 0)
    return list.reduce<bigint>((sum, n) => sum + BigInt(n), 0n)
  })
  env.registerFunction('list.isSorted(): bool', (list: readonly Ordered[]) =>
    list.every((item, index) => index === 0 || (list[index - 1] ?? item) <= item),
  )
  env.registerFunction('list.indexOf(dyn): int', (list: readonly unknown[], item: unknown) =>
    BigInt(list.indexOf(item)),
  )
  env.registerFunction('list.lastIndexOf(dyn): int', (list: readonly unknown[], item: unknown) =>
    BigInt(list.lastIndexOf(item)),
  )
}

function addQuantityFunctions(env: Environment): void {
  env.registerType('kubernetes.Quantity', { ctor: Quantity, fields: {} })
  env.registerFunction('quantity(string): kubernetes.Quantity', (text: string) => {
    const quantity = Quantity.parse(text)
    if (!quantity) throw new Error('quantities must match the regular expression of resource.Quantity')
    return quantity
  })
  env.registerFunction('isQuantity(string): bool', (text: string) => Quantity.parse(text) !== undefined)
  const method = (signature: string, run: (a: Quantity, b: Quantity) => unknown): void => {
    env.registerFunction(`kubernetes.Quantity.${signature}`, run)
  }
  method('compareTo(kubernetes.Quantity): int', (a, b) => a.compareTo(b))
  method('isGreaterThan(kubernetes.Quantity): bool', (a, b) => a.nanos > b.nanos)
  method('isLessThan(kubernetes.Quantity): bool', (a, b) => a.nanos < b.nanos)
  method('add(kubernetes.Quantity): kubernetes.Quantity', (a, b) => new Quantity(a.nanos + b.nanos))
  method('sub(kubernetes.Quantity): kubernetes.Quantity', (a, b) => new Quantity(a.nanos - b.nanos))
  method('isInteger(): bool', (a) => a.isInteger())
  method('asInteger(): int', (a) => a.asInteger())
  method('asApproximateFloat(): double', (a) => a.asApproximateFloat())
  method('sign(): int', (a) => a.compareTo(new Quantity(0n)))
  env.registerOperator('kubernetes.Quantity == kubernetes.Quantity', (a: Quantity, b: Quantity) => {
    return a.nanos === b.nanos
  })
}
