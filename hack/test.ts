/**
 * `npm test`: what one runs every day. The tests on real parts need kube-apiserver, etcd and nats-server; where they are
 * missing, the last lines say so and how to get them.
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
console.log(
  `\n${missing ?? 'not run: the tests of how Kilonova is installed (chart, rights, image); run them with: npm run test:install'}`,
)
process.exitCode = code
