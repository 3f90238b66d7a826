import type { Sender } from '../rpc/sender.ts'
import { LOG_OPTIONS, SERVICE_OPTIONS } from './common.ts'
import { type Option, optionalText, seconds, text, UsageError, type Values } from './options.ts'

const SERVICES = [
  'api',
  'scheduler',
  'conductor',
  'compute',
  'check',
] as const satisfies readonly Sender['service'][]
const DNS_LABEL = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/
const DNS_NAME = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/

/** `api=kilonova-system/kilonova-api,…`, as the user names that Kubernetes gives service accounts. */
function serviceAccounts(help: string): Option<ReadonlyMap<string, Sender['service']>> {
  return {
    help,
    value: 'SERVICE=NS/NAME,…',
    fallback: new Map(),
    parse: (given) => {
      const users = new Map<string, Sender['service']>()
      for (const pair of given.split(',')) {
        const [name, account = ''] = pair.split('=')
        const service = SERVICES.find((one) => one === name)
        if (!service) throw new UsageError(`'${name}' is none of ${SERVICES.join(', ')}`)
        const [namespace = '', own = '', more] = account.split('/')
        if (!DNS_LABEL.test(namespace) || !DNS_NAME.test(own) || more !== undefined) {
          throw new UsageError(`'${account}' is not NAMESPACE/NAME`)
        }
        const user = `system:serviceaccount:${namespace}:${own}`
        if (users.has(user)) throw new UsageError(`${account} is given twice`)
        users.set(user, service)
      }
      return users
    },
  }
}

/** What `kilonova nats-auth` itself is told. */
export const NATS_AUTH_SETTINGS = {
  natsKeysDir: optionalText(
    'the folder with issuer.nk, user.nk and xkey.nk, which kilonova nats-keys made',
    'FOLDER',
  ),
  serviceAccounts: serviceAccounts('the service account of each service; nobody else is let in'),
  tokenAudience: text('the audience of the tokens that are shown to the broker', 'nats.kilonova.dev'),
  natsAccount: text('the account of the broker that services are let into', 'KILONOVA'),
  maxSession: seconds('after how long at most a connection ends and its client shows its token again', 3600),
}

const { kubeconfig, messaging, messagingCaFile, healthPort } = SERVICE_OPTIONS

export const NATS_AUTH_OPTIONS = {
  ...LOG_OPTIONS,
  kubeconfig,
  messaging,
  messagingCaFile,
  healthPort,
  ...NATS_AUTH_SETTINGS,
}
export type NatsAuthSettings = Values<typeof NATS_AUTH_OPTIONS>
