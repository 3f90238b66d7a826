const SUFFIXES: Readonly<Record<string, readonly [base: bigint, exponent: number]>> = {
  n: [10n, -9],
  u: [10n, -6],
  m: [10n, -3],
  '': [10n, 0],
  k: [10n, 3],
  M: [10n, 6],
  G: [10n, 9],
  T: [10n, 12],
  P: [10n, 15],
  E: [10n, 18],
  Ki: [2n, 10],
  Mi: [2n, 20],
  Gi: [2n, 30],
  Ti: [2n, 40],
  Pi: [2n, 50],
  Ei: [2n, 60],
}
const SYNTAX = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,2}))?$/
const NANO = 1_000_000_000n

/** A Kubernetes quantity ("2Gi", "500m"), exact to a thousand-millionth as the real one is. */
export class Quantity {
  readonly nanos: bigint

  constructor(nanos: bigint) {
    this.nanos = nanos
  }

  /** The quantity that the text says, or undefined when it says none. */
  static parse(text: string): Quantity | undefined {
    const match = SYNTAX.exec(text)
    if (!match) return undefined
    const [, sign, digits = '0', suffix = '', exponent] = match
    const [whole = '', fraction = ''] = digits.split('.')
    const [base, power] = exponent === undefined ? (SUFFIXES[suffix] ?? [10n, 0]) : [10n, Number(exponent)]
    let nanos = BigInt(whole + fraction) * NANO
    nanos = power >= 0 ? nanos * base ** BigInt(power) : nanos / base ** BigInt(-power)
    nanos /= 10n ** BigInt(fraction.length)
    return new Quantity(sign === '-' ? -nanos : nanos)
  }

  compareTo(other: Quantity): bigint {
    if (this.nanos === other.nanos) return 0n
    return this.nanos < other.nanos ? -1n : 1n
  }

  isInteger(): boolean {
    return this.nanos % NANO === 0n
  }

  asInteger(): bigint {
    if (!this.isInteger()) throw new Error('cannot convert value to integer')
    return this.nanos / NANO
  }

  asApproximateFloat(): number {
    return Number(this.nanos) / Number(NANO)
  }
}
