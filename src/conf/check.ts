import { MESSAGING_OPTIONS, SERVICE_OPTIONS } from './common.ts'
import { oneOf, seconds } from './options.ts'

/** What `kilonova check` itself is told. */
export const CHECK_SETTINGS = {
  output: oneOf('lines to read, or JSON', ['text', 'json'], 'text'),
  checkTimeout: seconds('how long an answer is waited for', 10),
}

export const CHECK_OPTIONS = {
  kubeconfig: SERVICE_OPTIONS.kubeconfig,
  ...MESSAGING_OPTIONS,
  ...CHECK_SETTINGS,
}
