import { kilonovaCrds } from '../apis/definitions.ts'
import { SystemClock } from '../common/clock.ts'
import { loggerTo } from '../common/log.ts'
import { CHECK_OPTIONS } from '../conf/check.ts'
import { kubeconfigOfUser, messagingFiles } from '../conf/common.ts'
import { readOptions } from '../conf/options.ts'
import { HttpKubeClient } from '../kube/http-client.ts'
import { asJson, asText, isFit } from '../preflight/finding.ts'
import { gather } from '../preflight/gather.ts'
import { judge } from '../preflight/judge.ts'
import { openTransport } from '../rpc/open-transport.ts'
import { endProcess } from './end-process.ts'
import { openKubeConfig } from './open-kube-config.ts'

/** Says what Kilonova needs in a cluster, what of it is there, and how to get the rest: exit code 1 if there is any. */
export async function runCheck(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const conf = readOptions(CHECK_OPTIONS, argv, env)
  const files = messagingFiles(conf)
  const clock = new SystemClock()
  // What the parts log on their way is in the findings.
  const log = loggerTo(() => undefined, { format: 'text', level: 'error' })
  const path = kubeconfigOfUser(conf.kubeconfig, env)
  const kubeConfig = openKubeConfig(path, env)
  const timeoutMs = conf.checkTimeout
  const client = HttpKubeClient.fromKubeConfig(kubeConfig, {
    clock,
    userAgent: 'kilonova/check',
    requestTimeoutMs: timeoutMs,
  })
  const transport = openTransport(
    conf.messaging,
    { clock, log },
    { sender: { service: 'check' }, files, roundTripTimeoutMs: timeoutMs },
  )
  try {
    const roundTrip = (): Promise<number> => transport.roundTrip()
    const findings = judge(await gather({ client, roundTrip, definitions: kilonovaCrds() }))
    process.stdout.write(conf.output === 'json' ? asJson(findings) : asText(findings))
    if (!isFit(findings)) process.exitCode = 1
  } finally {
    await transport.close()
    await client.close()
  }
  await endProcess()
}
