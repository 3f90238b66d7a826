const NUMBERS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '=': (a, b) => a >= b,
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '>=': (a, b) => a >= b,
  '<=': (a, b) => a <= b,
}
const STRINGS: Readonly<Record<string, (a: string, b: string) => boolean>> = {
  's==': (a, b) => a === b,
  's!=': (a, b) => a !== b,
  's<': (a, b) => a < b,
  's<=': (a, b) => a <= b,
  's>': (a, b) => a > b,
  's>=': (a, b) => a >= b,
  '<in>': (a, b) => a.includes(b),
}

/**
 * Whether a value is what an extra spec asks for: `>= 4`, `s== kvm`, `<in> avx`, `<all-in> aes mmx`,
 * `<or> kvm <or> qemu`, or the value itself. A single `=` means at least, as in Nova. oslo_utils.specs_matcher.
 */
export function matchesSpec(value: string, wanted: string): boolean {
  const [operator = '', ...words] = wanted.trim().split(/\s+/)
  const number = NUMBERS[operator]
  if (number) return number(Number(value), Number(words[0]))
  const string = STRINGS[operator]
  if (string) return string(value, words[0] ?? '')
  if (operator === '<all-in>') return words.every((word) => value.includes(word))
  if (operator === '<or>') return words.some((word) => word === value)
  return value === wanted
}
