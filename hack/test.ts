/**
 * `npm test`: everything that can run on this machine. The tests on real parts need kube-apiserver, etcd and
 * nats-server; where they are missing, the last lines say so and how to get them.
 */
import { spawn } from 'node:child_process'
import { setupNeeded } from '../test/real/setup-needed.ts'

const missing = setupNeeded()
const projects = ['unit', 'scenarios', ...(missing === undefined ? ['real'] : [])]
const args = ['run', ...projects.flatMap((project) => ['--project', project]), ...process.argv.slice(2)]
const code = await new Promise<number>((resolve) => {
  spawn('node_modules/.bin/vitest', args, { stdio: 'inherit' }).on('close', (exitCode) =>
    resolve(exitCode ?? 1),
  )
})
if (missing !== undefined) console.log(`\n${missing}`)
process.exitCode = code
