import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { delimiter } from 'node:path'
import type { LogLevel, LogOptions } from '../common/log.ts'
import type { CredentialFiles } from '../rpc/nats-credentials.ts'
import { natsServersOf } from '../rpc/nats-url.ts'
import {
  count,
  type Option,
  oneOf,
  optionalText,
  seconds,
  text,
  UsageError,
  type Values,
  wholeNumber,
} from './options.ts'

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const

function levels(help: string): Option<Readonly<Record<string, LogLevel>>> {
  return {
    help,
    value: 'NAME=LEVEL,…',
    fallback: {},
    parse: (given) =>
      Object.fromEntries(
        given.split(',').map((pair) => {
          const [name = '', level = ''] = pair.split('=')
          const known = LEVELS.find((one) => one === level)
          if (name === '' || !known)
            throw new UsageError(`'${pair}' is not NAME=LEVEL (${LEVELS.join(', ')})`)
          return [name, known]
        }),
      ),
  }
}

/** Where a message broker is. What is shown of a URL that cannot be used has no password in it. */
export function brokerUrl(help: string, fallback: string): Option<string> {
  return {
    ...text(help, fallback, 'URL'),
    parse: (given) => {
      if (given.startsWith('memory:') || natsServersOf(given)) return given
      // However the scheme is mistyped, what stands before the host may be a password.
      const shown = given.replace(/^.*@/s, '…@')
      throw new UsageError(
        `'${shown}' is no URL of a message broker, such as nats://host:4222 or tls://host:4222`,
      )
    },
  }
}

export const LOG_OPTIONS = {
  logFormat: oneOf('lines as oslo.log writes them, or one JSON object a line', ['text', 'json'], 'text'),
  logLevel: oneOf('the least severe lines that are written', LEVELS, 'info'),
  logLevels: levels('levels of single loggers, such as nova.rpc=debug'),
  logFile: optionalText('append to this file instead of standard error', 'FILE'),
}

/** How the message broker is reached, and what is shown to it. */
export const MESSAGING_OPTIONS = {
  messaging: brokerUrl(
    'the message broker; tls:// for TLS, several servers with commas',
    'nats://127.0.0.1:4222',
  ),
  messagingTokenFile: optionalText('a token shown to the broker; read anew at each connect', 'FILE'),
  messagingCaFile: optionalText("trust these certificates for the broker's, and no others", 'FILE'),
  messagingCredsFile: optionalText('a NATS creds file, for a NATS of your own', 'FILE'),
  messagingCertFile: optionalText('our certificate, for a broker that asks for one', 'FILE'),
  messagingKeyFile: optionalText('the key of that certificate', 'FILE'),
}

/**
 * The files of the messaging options, as a transport takes them.
 * @throws UsageError for a certificate without its key, or the other way round
 */
export function messagingFiles(conf: Values<typeof MESSAGING_OPTIONS>): CredentialFiles {
  if ((conf.messagingCertFile === undefined) !== (conf.messagingKeyFile === undefined)) {
    throw new UsageError('--messaging-cert-file and --messaging-key-file are given together or not at all')
  }
  return {
    tokenFile: conf.messagingTokenFile,
    caFile: conf.messagingCaFile,
    credsFile: conf.messagingCredsFile,
    certFile: conf.messagingCertFile,
    keyFile: conf.messagingKeyFile,
  }
}

/** What every service process takes. */
export const SERVICE_OPTIONS = {
  ...LOG_OPTIONS,
  kubeconfig: optionalText(
    'kubeconfig of the Kubernetes API; inside a pod its service account is used',
    'FILE',
  ),
  ...MESSAGING_OPTIONS,
  messagingReplicas: count('copies of the streams in a NATS cluster, for streams that are not there yet', 1),
  healthPort: wholeNumber('port of /healthz and /readyz; 0 for none', 0, 'PORT'),
  identity: text('this process among its likes, in leases', `${hostname()}_${randomUUID().slice(0, 8)}`),
}

/** Of whoever declares queues: the scheduler its own, the conductor those of the agents and of dead letters. */
export const QUEUE_SETTINGS = {
  ackWait: seconds('after how long a message goes to another worker when its own fell silent', 30),
}

export function logOptions(conf: {
  readonly logFormat: 'text' | 'json'
  readonly logLevel: LogLevel
  readonly logLevels: Readonly<Record<string, LogLevel>>
  readonly logFile: string | undefined
}): LogOptions {
  return {
    format: conf.logFormat,
    level: conf.logLevel,
    levels: conf.logLevels,
    ...(conf.logFile !== undefined && { file: conf.logFile }),
  }
}

/** Where the API server is, as Kubernetes tells its pods; `undefined` outside one. */
export function inClusterAddress(
  env: Readonly<Record<string, string | undefined>>,
): { readonly host: string; readonly port: string } | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env
  return host && port ? { host, port } : undefined
}

/**
 * The kubeconfig of a command that people type: the one that is named, else the first that kubectl would read. `undefined` where
 * neither says so: then it is a pod's service account, or `~/.kube/config`.
 */
export function kubeconfigOfUser(
  named: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  return named ?? (env['KUBECONFIG']?.split(delimiter).find((path) => path !== '') || undefined)
}
