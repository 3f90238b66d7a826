import { brokerUrl, LOG_OPTIONS } from './common.ts'
import { count, optionalText, seconds, text, type Values, wholeNumber } from './options.ts'

/** What `kilonova dev` and `kilonova demo` take. */
export const DEV_OPTIONS = {
  logFormat: LOG_OPTIONS.logFormat,
  logLevel: LOG_OPTIONS.logLevel,
  logLevels: LOG_OPTIONS.logLevels,
  nodes: count('simulated nodes', 3),
  messaging: brokerUrl('the message broker: memory://, or a NATS server', 'memory://'),
  kubeconfig: optionalText('use this API server instead of the embedded one', 'FILE'),
  folder: text('where the kubeconfig and the logs go', '.kilonova', 'DIR'),
  port: wholeNumber('port of the embedded API server; 0 for any', 0, 'PORT'),
  bootTime: seconds('how long a simulated guest takes to boot', 1),
}
export type DevSettings = Values<typeof DEV_OPTIONS>
