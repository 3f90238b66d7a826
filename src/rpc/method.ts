import { z } from 'zod'
import { VERSION_PATTERN } from './version.ts'

/** One message of an RPC API: both ends import the same definition, so they cannot disagree. */
export interface RpcMethod<A, R> {
  /** Snake case, as in Nova: `build_and_run_instance`. */
  readonly name: string
  /** The version of the API this method (in this form) came with: `1.3`. The server must serve at least it. */
  readonly version: string
  /** What arrives is checked against this; what the schema does not name is dropped. */
  readonly args: z.ZodType<A>
  readonly result: z.ZodType<R>
}

/** Defines a method without a result: for casts and fanouts, and for calls that only wait for the end. */
export function defineMethod<A>(method: {
  readonly name: string
  readonly version: string
  readonly args: z.ZodType<A>
  readonly result?: undefined
}): RpcMethod<A, void>
/** Defines a method with a result. */
export function defineMethod<A, R>(method: {
  readonly name: string
  readonly version: string
  readonly args: z.ZodType<A>
  readonly result: z.ZodType<R>
}): RpcMethod<A, R>
export function defineMethod<A>(method: {
  readonly name: string
  readonly version: string
  readonly args: z.ZodType<A>
  readonly result?: z.ZodType<unknown> | undefined
}): RpcMethod<A, unknown> {
  if (!VERSION_PATTERN.test(method.version)) {
    throw new TypeError(`Not a version of ${method.name}: ${JSON.stringify(method.version)}`)
  }
  return { ...method, result: method.result ?? z.void() }
}
