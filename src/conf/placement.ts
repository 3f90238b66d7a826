import { MESSAGING_OPTIONS, SERVICE_OPTIONS } from './common.ts'
import { flag, oneOf, optionalText, seconds } from './options.ts'

const OUTPUT = { output: { ...oneOf('lines to read, or JSON', ['text', 'json'], 'text'), letter: 'o' } }
const NAMESPACE = {
  namespace: {
    ...optionalText("the namespace of the instance; without it the kubeconfig's, or the pod's own", 'NAME'),
    letter: 'n',
  },
}
const CALL_TIMEOUT = { callTimeout: seconds('how long an answer is waited for', 10) }

/** What `kilonova schedule` is told. */
export const SCHEDULE_SETTINGS = {
  dryRun: flag('say where the instance would go, and do nothing'),
  file: { ...optionalText('the manifest of an Instance; - is standard input', 'FILE'), letter: 'f' },
  ...NAMESPACE,
  ...OUTPUT,
  ...CALL_TIMEOUT,
}

export const SCHEDULE_OPTIONS = {
  kubeconfig: SERVICE_OPTIONS.kubeconfig,
  ...MESSAGING_OPTIONS,
  ...SCHEDULE_SETTINGS,
}

/** What `kilonova explain` is told. */
export const EXPLAIN_SETTINGS = {
  instance: optionalText('the instance; can be given as `kilonova explain instance NAME` too', 'NAME'),
  ...NAMESPACE,
  ...OUTPUT,
  ...CALL_TIMEOUT,
}

export const EXPLAIN_OPTIONS = { kubeconfig: SERVICE_OPTIONS.kubeconfig, ...EXPLAIN_SETTINGS }
