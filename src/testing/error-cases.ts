import { describe, expect, it } from 'vitest'
import { NovaError, type Outcome } from '../common/errors/nova-error.ts'

interface ErrorCase {
  readonly error: NovaError
  readonly message: string
  readonly outcome: Outcome
  /** What Nova's API would answer with. */
  readonly code: number
}

/** What every error of ours owes, by the cases of one module. Each class the module exports needs a case. */
export function describeErrors(module: Readonly<Record<string, unknown>>, cases: readonly ErrorCase[]): void {
  describe.each(cases)('$error.name', ({ error, message, outcome, code }) => {
    it('says what happened, what to do next, and the code Nova would answer', () => {
      expect(error).toMatchObject({ message, outcome, code, name: error.constructor.name })
    })

    it('is made again from its details alone, as they come out of JSON', () => {
      const again = Reflect.construct(error.constructor, [JSON.parse(JSON.stringify(error.details))])
      expect(again).toEqual(error)
    })
  })

  it('every class of the module is in the table above', () => {
    expect(cases.map(({ error }) => error.name).toSorted()).toEqual(Object.keys(module).toSorted())
  })
}
