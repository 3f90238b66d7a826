import { LOG_OPTIONS, SERVICE_OPTIONS } from './common.ts'
import { flag, list, optionalText, text } from './options.ts'

/** What `kilonova nats-keys` itself is told. */
export const NATS_KEYS_SETTINGS = {
  namespace: optionalText("the namespace of the keys; without it the kubeconfig's, or the pod's own", 'NAME'),
  namePrefix: text('begins the names of what is made, as in PREFIX-nats-auth', 'kilonova', 'PREFIX'),
  dnsNames: list('what the NATS servers are called by: DNS names and IPv4 addresses', ['localhost']),
  renewOnly: flag('renew certificates that are old, and make nothing that is missing'),
}

export const NATS_KEYS_OPTIONS = {
  ...LOG_OPTIONS,
  kubeconfig: SERVICE_OPTIONS.kubeconfig,
  ...NATS_KEYS_SETTINGS,
}
