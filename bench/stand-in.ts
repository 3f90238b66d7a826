/** Runs the stand-in for KubeVirt, with guests that take no time: `stand-in.ts KUBECONFIG`. */
import { SystemClock } from '../src/common/clock.ts'
import { openLog } from '../src/common/log.ts'
import { KubeVirtStandIn } from '../src/dev/kubevirt/stand-in.ts'
import { HttpKubeClient } from '../src/kube/http-client.ts'
import { loadKubeConfig } from '../src/kube/kube-config.ts'
import { OwnWrites } from './writes.ts'

/** Its writes are told on standard output, where they changed. */
const TELL_EVERY_MS = 200

const clock = new SystemClock()
const { logger: log } = openLog({ format: 'text', level: 'warn' })
const config = loadKubeConfig({ path: process.argv[2] })
const client = HttpKubeClient.fromKubeConfig(config, { clock, userAgent: 'kubevirt-stand-in' })
const standIn = new KubeVirtStandIn({ client, clock, log }, { bootMs: 0, shutdownMs: 0 })

const writes = new OwnWrites()
let told = ''
setInterval(() => {
  const counts = JSON.stringify(writes.counts)
  if (counts !== told) console.log(`writes ${counts}`)
  told = counts
}, TELL_EVERY_MS)

await standIn.start()
console.log('ready')
