/** DER identifiers, as X.690 numbers them. */
export const TAG = {
  bool: 1,
  integer: 2,
  bits: 3,
  octets: 4,
  oid: 6,
  utf8: 12,
  utcTime: 23,
  generalizedTime: 24,
  sequence: 48,
  set: 49,
} as const

/** A value with its tag and its length. */
export function der(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag]), lengthOf(content), content])
}

function lengthOf({ length }: Buffer): Buffer {
  if (length < 0x80) return Buffer.from([length])
  return length < 0x100 ? Buffer.from([0x81, length]) : Buffer.from([0x82, length >> 8, length & 0xff])
}

export function sequence(...parts: readonly Buffer[]): Buffer {
  return der(TAG.sequence, Buffer.concat(parts))
}

/** An object identifier that is already encoded. */
export function oid(hex: string): Buffer {
  return der(TAG.oid, Buffer.from(hex, 'hex'))
}

/** Bits, none of the last byte's unused unless `unused` says how many. */
export function bits(content: Buffer, unused = 0): Buffer {
  return der(TAG.bits, Buffer.concat([Buffer.from([unused]), content]))
}

/** A time in whole seconds, as X.509 has it: with two digits of the year up to 2049, with four from 2050 on. */
export function time(ms: number): Buffer {
  const date = new Date(ms)
  const digits = date.toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)
  return date.getUTCFullYear() < 2050
    ? der(TAG.utcTime, Buffer.from(`${digits.slice(2)}Z`))
    : der(TAG.generalizedTime, Buffer.from(`${digits}Z`))
}
