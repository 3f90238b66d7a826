#!/usr/bin/env -S node --max-semi-space-size=4
// Left to itself, V8 lets the space for young objects grow to 32 MB: a busy conductor then has 240 MB and not 150.
import { API_OPTIONS } from './conf/api.ts'
import { COMPUTE_OPTIONS } from './conf/compute.ts'
import { CONDUCTOR_OPTIONS } from './conf/conductor.ts'
import { DEV_OPTIONS } from './conf/dev.ts'
import { env } from './conf/env.ts'
import { describeOptions, type Options, UsageError } from './conf/options.ts'
import { SCHEDULER_OPTIONS } from './conf/scheduler.ts'
import { KubeConfigError } from './kube/kube-config.ts'

interface Command {
  readonly help: string
  readonly options: Options
  readonly run: (argv: readonly string[]) => Promise<void>
}

// Each command loads only what it needs: a compute agent carries no embedded API server.
const COMMANDS: Readonly<Record<string, Command>> = {
  api: {
    help: 'nova-api: watches Instances and has done what they ask',
    options: API_OPTIONS,
    run: async (argv) => (await import('./cmd/run-service.ts')).runApi(argv, env()),
  },
  scheduler: {
    help: 'nova-scheduler: chooses hosts',
    options: SCHEDULER_OPTIONS,
    run: async (argv) => (await import('./cmd/run-service.ts')).runScheduler(argv, env()),
  },
  conductor: {
    help: 'nova-conductor: reads and writes state for the compute agents',
    options: CONDUCTOR_OPTIONS,
    run: async (argv) => (await import('./cmd/run-service.ts')).runConductor(argv, env()),
  },
  compute: {
    help: 'nova-compute: the agent of one host',
    options: COMPUTE_OPTIONS,
    run: async (argv) => (await import('./cmd/run-service.ts')).runCompute(argv, env()),
  },
  dev: {
    help: 'a whole cluster in one process, to try things on',
    options: DEV_OPTIONS,
    run: async (argv) => (await import('./cmd/dev.ts')).runDev(argv, env()),
  },
  demo: {
    help: 'launches an instance, shuts it off, starts it and deletes it, and shows how the services did it',
    options: DEV_OPTIONS,
    run: async (argv) => (await import('./cmd/demo.ts')).runDemo(argv, env()),
  },
}

function usage(): string {
  const commands = Object.entries(COMMANDS).map(([name, { help }]) => `  ${name.padEnd(12)} ${help}`)
  return `Usage: kilonova COMMAND [options]\n\n${commands.join('\n')}\n\nkilonova COMMAND --help lists its options; each can be given as KILONOVA_<OPTION> in the environment too.\n`
}

async function main([name, ...argv]: readonly string[]): Promise<void> {
  const command = COMMANDS[name ?? '']
  if (!command) {
    const asked = name === undefined || name === 'help' || name === '--help'
    ;(asked ? process.stdout : process.stderr).write(
      asked ? usage() : `kilonova: no command '${name}'\n\n${usage()}`,
    )
    process.exitCode = asked ? 0 : 2
    return
  }
  if (argv.includes('--help')) {
    process.stdout.write(
      `Usage: kilonova ${name} [options]\n\n${command.help}\n\n${describeOptions(command.options)}\n`,
    )
    return
  }
  try {
    await command.run(argv)
  } catch (error) {
    if (!(error instanceof UsageError) && !(error instanceof KubeConfigError)) throw error
    process.stderr.write(`kilonova ${name}: ${error.message}\n`)
    process.exitCode = 2
  }
}

await main(process.argv.slice(2))
