/** `missing` keeps Kilonova from working; `warn` is worth knowing; `unknown` could not be looked at. */
export type Outcome = 'ok' | 'warn' | 'missing' | 'unknown'

/** What one look told. */
export interface Finding {
  readonly check: string
  readonly outcome: Outcome
  /** What is there, or is not. */
  readonly found: string
  /** How to get what is missing. */
  readonly remedy?: string
}

/** Whether nothing is missing, as far as could be seen. */
export function isFit(findings: readonly Finding[]): boolean {
  return findings.every(({ outcome }) => outcome !== 'missing' && outcome !== 'unknown')
}

/** One line each, in columns; plain words, so that they can be searched for. */
export function asText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const lines = findings.map(({ check, outcome, found, remedy }) => {
    const rest = remedy === undefined ? found : `${found}; ${remedy}`
    return `${outcome.padEnd(7)}  ${check.padEnd(width)}  ${rest}`
  })
  return `${lines.join('\n')}\n`
}

export function asJson(findings: readonly Finding[]): string {
  return `${JSON.stringify({ ok: isFit(findings), checks: findings }, undefined, 2)}\n`
}
