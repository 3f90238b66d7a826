import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, SystemClock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { type Logger, openLog } from '../common/log.ts'
import { logOptions } from '../conf/common.ts'
import { NATS_AUTH_OPTIONS, type NatsAuthSettings } from '../conf/nats-auth.ts'
import { readOptions, UsageError } from '../conf/options.ts'
import type { KubeClient } from '../kube/client.ts'
import { HttpKubeClient } from '../kube/http-client.ts'
import { AuthCallout } from '../nats-auth/auth-callout.ts'
import { CalloutServer } from '../nats-auth/callout-server.ts'
import { signerOf } from '../nats-auth/nkey.ts'
import { TokenReviewer } from '../nats-auth/token-reviewer.ts'
import { NatsLink } from '../rpc/nats-link.ts'
import { natsServersOf } from '../rpc/nats-url.ts'
import { openKubeConfig } from './open-kube-config.ts'
import { openMetrics } from './open-metrics.ts'
import { runUntilTold } from './run-until-told.ts'
import type { Service } from './service.ts'

/** A review that takes so long is begun anew; who asked for it was refused long before. */
const REVIEW_LOST_MS = 10_000

/** Runs the answerer of NATS's auth callout until the process is told to stop. */
export async function runNatsAuth(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const conf = readOptions(NATS_AUTH_OPTIONS, argv, env)
  const clock = new SystemClock()
  const sink = openLog(logOptions(conf))
  const log = sink.logger
  const kubeConfig = openKubeConfig(conf.kubeconfig, env)
  const client = HttpKubeClient.fromKubeConfig(kubeConfig, {
    clock,
    userAgent: 'kilonova/nova-nats-auth',
    requestTimeoutMs: REVIEW_LOST_MS,
  })
  const server = buildServer({ client, clock, log }, conf)
  const metrics = await openMetrics(conf)
  await runUntilTold({ service: serviceOf(server, log), transport: server, clock, log, metrics }, conf)
  await client.close()
  await sink.close()
}

function buildServer(
  deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger },
  conf: NatsAuthSettings,
): CalloutServer {
  const { clock } = deps
  const log = deps.log.named('nova.nats_auth')
  const keys = keysIn(conf)
  const servers = natsServersOf(conf.messaging)
  if (!servers) throw new UsageError(`--messaging: '${conf.messaging}' is no nats:// or tls:// URL`)
  if (conf.serviceAccounts.size === 0) throw new UsageError('--service-accounts: nobody would be let in')

  const reviewer = new TokenReviewer({ client: deps.client, clock, log }, { audience: conf.tokenAudience })
  const callout = new AuthCallout(
    { reviewer, clock, log, signer: keys.signer },
    {
      xkeySeed: keys.xkeySeed,
      audience: conf.tokenAudience,
      serviceAccounts: conf.serviceAccounts,
      account: conf.natsAccount,
      maxSessionMs: conf.maxSession,
    },
  )
  const link = new NatsLink(
    { clock, log: deps.log.named('nova.nats_auth.link') },
    {
      ...servers,
      name: 'nova-nats-auth',
      inboxPrefix: '_INBOX.nats-auth',
      files: { nkeyFile: keys.userFile, caFile: conf.messagingCaFile },
    },
  )
  return new CalloutServer({ link, callout, clock, log })
}

function serviceOf(server: CalloutServer, log: Logger): Service {
  const stopping = new AbortController()
  return {
    name: 'nova-nats-auth',
    checks: [{ name: 'messaging', isReady: () => server.isConnected }],
    start: async () => {
      await server.start(stopping.signal)
      log.named('nova.service').info('Started nova-nats-auth')
    },
    stop: async () => {
      stopping.abort(new Error('nova-nats-auth was stopped'))
      await server.stop()
    },
  }
}

/** @throws UsageError for a folder that is not what `kilonova nats-keys` makes. */
function keysIn({ natsKeysDir }: NatsAuthSettings): {
  readonly signer: ReturnType<typeof signerOf>
  readonly xkeySeed: string
  readonly userFile: string
} {
  if (natsKeysDir === undefined) throw new UsageError('--nats-keys-dir is needed')
  const seed = (name: string): string => readFileSync(join(natsKeysDir, name), 'utf8').trim()
  try {
    return {
      signer: signerOf(seed('issuer.nk')),
      xkeySeed: seed('xkey.nk'),
      userFile: join(natsKeysDir, 'user.nk'),
    }
  } catch (error) {
    throw new UsageError(`--nats-keys-dir: ${messageOf(error)}`, { cause: error })
  }
}
