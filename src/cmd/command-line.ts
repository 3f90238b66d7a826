import { describeOptions, type Options, UsageError } from '../conf/options.ts'
import { KubeConfigError } from '../kube/kube-config.ts'

export interface Command {
  readonly help: string
  readonly options: Options
  readonly run: (argv: readonly string[]) => Promise<void>
}

/** By name, in the order of the help. */
export type Commands = Readonly<Record<string, Command>>

/** Runs the command that the command line names; a command line that cannot be used ends with exit code 2. */
export async function runCommandLine(commands: Commands, [name, ...argv]: readonly string[]): Promise<void> {
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!command) {
    const asked = name === undefined || name === 'help' || name === '--help'
    if (asked) process.stdout.write(usage(commands))
    else process.stderr.write(`kilonova: no command '${name}'\n\n${usage(commands)}`)
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

function usage(commands: Commands): string {
  const lines = Object.entries(commands).map(([name, { help }]) => `  ${name.padEnd(12)} ${help}`)
  return `Usage: kilonova COMMAND [options]\n\n${lines.join('\n')}\n\nkilonova COMMAND --help lists its options; each can be given as KILONOVA_<OPTION> in the environment too.\n`
}
