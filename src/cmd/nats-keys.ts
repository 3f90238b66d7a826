import { SystemClock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { openLog } from '../common/log.ts'
import { logOptions } from '../conf/common.ts'
import { NATS_KEYS_OPTIONS } from '../conf/nats-keys.ts'
import { readOptions } from '../conf/options.ts'
import { HttpKubeClient } from '../kube/http-client.ts'
import { NatsKeys } from '../nats-keys/nats-keys.ts'
import { openKubeConfig } from './open-kube-config.ts'

/** Runs `kilonova nats-keys`, which the chart does before each install and upgrade, and regularly. It ends with 1 when it could not. */
export async function runNatsKeys(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const conf = readOptions(NATS_KEYS_OPTIONS, argv, env)
  const clock = new SystemClock()
  const sink = openLog(logOptions(conf))
  const log = sink.logger.named('nova.nats_keys')
  const kubeConfig = openKubeConfig(conf.kubeconfig, env)
  const client = HttpKubeClient.fromKubeConfig(kubeConfig, { clock, userAgent: 'kilonova/nats-keys' })
  const namespace = conf.namespace ?? kubeConfig.namespace ?? 'default'
  const keys = new NatsKeys(
    { client, clock, log },
    { namespace, namePrefix: conf.namePrefix, serverNames: conf.dnsNames },
  )
  try {
    await (conf.renewOnly ? keys.renew() : keys.ensure())
    log.info('The keys of NATS are there', { namespace, prefix: conf.namePrefix })
  } catch (error) {
    log.error('Could not make the keys of NATS', { namespace, reason: messageOf(error) })
    process.exitCode = 1
  } finally {
    await client.close()
    await sink.close()
  }
}
