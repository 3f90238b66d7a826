// `npm run dev` and `npm run demo`: not part of the image.
import { type Commands, runCommandLine } from '../cmd/command-line.ts'
import { DEV_OPTIONS } from '../conf/dev.ts'
import { env } from '../conf/env.ts'

const COMMANDS: Commands = {
  dev: {
    help: 'a whole cluster in one process, to try things on',
    options: DEV_OPTIONS,
    run: async (argv) => (await import('../cmd/dev.ts')).runDev(argv, env()),
  },
  demo: {
    help: 'launches an instance, shuts it off, starts it and deletes it, and shows how the services did it',
    options: DEV_OPTIONS,
    run: async (argv) => (await import('../cmd/demo.ts')).runDemo(argv, env()),
  },
}

await runCommandLine(COMMANDS, process.argv.slice(2))
