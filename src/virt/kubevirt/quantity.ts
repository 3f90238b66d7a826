const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/** A Kubernetes quantity as a number: `3920m` is 3.92, `16Gi` is bytes. Undefined when it is none. */
export function parseQuantity(text: string): number | undefined {
  const match = /^([+-]?[\d.]+(?:[eE][+-]?\d+)?)([A-Za-z]*)$/.exec(text)
  const number = Number(match?.[1])
  const factor = match?.[2] ? SUFFIXES[match[2]] : 1
  return factor === undefined || !Number.isFinite(number) ? undefined : number * factor
}
