import { NovaError } from '../common/errors/nova-error.ts'
import { ApiError } from '../kube/api-error.ts'
import {
  InvalidArguments,
  InvalidMessage,
  MessageUndeliverable,
  MessagingTimeout,
  NoSuchMethod,
  UnsupportedVersion,
} from '../rpc/errors.ts'
import { UnfitManifest } from '../scheduler/manifest.ts'

/** Exit code: it was answered, and the answer is no. */
export const ANSWERED_NO = 1
/** Exit code: it could not be asked, as with a command line that cannot be used. */
const NOT_ASKED = 2

/** How a question ends that had no good answer. */
export interface QuestionEnd {
  readonly message: string
  readonly exitCode: number
}

/** Two versions that do not understand each other: no answer, although asking again does not help. */
const MISUNDERSTANDINGS = [InvalidArguments, InvalidMessage, NoSuchMethod, UnsupportedVersion]

/**
 * What to say, and how to exit, after an error of `kilonova schedule` or `explain`: a script can tell "a launch would fail"
 * from "nobody could be asked". Undefined for what is a bug.
 */
export function endOf(error: unknown): QuestionEnd | undefined {
  if (error instanceof MessageUndeliverable || error instanceof MessagingTimeout) {
    const message = `${error.message}; does a nova-scheduler run, and has one become the leader?`
    return { message, exitCode: NOT_ASKED }
  }
  if (error instanceof ApiError) {
    return { message: `the Kubernetes API could not be asked: ${error.message}`, exitCode: NOT_ASKED }
  }
  if (error instanceof UnfitManifest) return { message: error.message, exitCode: NOT_ASKED }
  if (!(error instanceof NovaError)) return undefined
  const isAnswer = error.outcome === 'terminal' && !MISUNDERSTANDINGS.some((kind) => error instanceof kind)
  return { message: error.message, exitCode: isAnswer ? ANSWERED_NO : NOT_ASKED }
}
