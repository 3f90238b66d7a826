import { SystemClock } from '../common/clock.ts'
import { openLog } from '../common/log.ts'
import { logOptions } from '../conf/common.ts'
import { NATS_RELOAD_OPTIONS } from '../conf/nats-reload.ts'
import { readOptions, UsageError } from '../conf/options.ts'
import { NatsReloader } from '../nats-keys/nats-reloader.ts'
import { CertificateFolder, LocalNatsServer } from '../nats-keys/nats-server.ts'
import { untilSignalled } from './signals.ts'

/** Runs `kilonova nats-reload` beside a nats-server until the process is told to stop. */
export async function runNatsReload(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const conf = readOptions(NATS_RELOAD_OPTIONS, argv, env)
  if (!URL.canParse(conf.monitor)) throw new UsageError(`--monitor: '${conf.monitor}' is no URL`)
  const sink = openLog(logOptions(conf))
  const log = sink.logger.named('nova.nats_reload')
  const stopping = new AbortController()
  const { signal } = untilSignalled()
  void signal.then(() => stopping.abort())
  const reloader = new NatsReloader(
    {
      files: new CertificateFolder(conf.certificates),
      server: new LocalNatsServer(
        { kill: (pid, name) => process.kill(pid, name) },
        { monitorUrl: conf.monitor, pidFile: conf.pidFile },
      ),
      clock: new SystemClock(),
      log,
    },
    { intervalMs: conf.checkInterval },
  )
  log.info('Started nova-nats-reload', { certificates: conf.certificates })
  await reloader.run(stopping.signal)
  await sink.close()
}
