const NUMBERS = new Map<string, (a: number, b: number) => boolean>(
  Object.entries({
    '=': (a, b) => a >= b,
    '==': (a, b) => a === b,
    '!=': (a, b) => a !== b,
    '>=': (a, b) => a >= b,
    '<=': (a, b) => a <= b,
  }),
)
const STRINGS = new Map<string, (a: string, b: string) => boolean>(
  Object.entries({
    's==': (a, b) => a === b,
    's!=': (a, b) => a !== b,
    's<': (a, b) => a < b,
    's<=': (a, b) => a <= b,
    's>': (a, b) => a > b,
    's>=': (a, b) => a >= b,
    '<in>': (a, b) => a.includes(b),
  }),
)

/**
 * Whether a value is what an extra spec asks for: `>= 4`, `s== kvm`, `<in> avx`, `<all-in> aes mmx`,
 * `<or> kvm <or> qemu`, or the value itself. A single `=` means at least, as in Nova. oslo_utils.specs_matcher.
 */
export function matchesSpec(value: string, wanted: string): boolean {
  const [operator = '', ...words] = wanted.trim().split(/\s+/)
  const [first] = words
  const number = NUMBERS.get(operator)
  if (number) return first !== undefined && number(Number(value), Number(first))
  const string = STRINGS.get(operator)
  if (string) return first !== undefined && string(value, first)
  if (operator === '<all-in>') return words.length > 0 && words.every((word) => value.includes(word))
  if (operator === '<or>') return words.some((word) => word !== operator && word === value)
  return value === wanted
}
