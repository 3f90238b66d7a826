import { spawn } from 'node:child_process'
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'

/**
 * Sees to it that nothing we started outlives this process, however this process ends: a SIGKILL, an uncaught
 * error, Ctrl-C or the end of a vitest worker. A small shell reads from a pipe that only we can write; when we are
 * gone the pipe ends, and it kills what we had told it of and removes the folders. No exit or signal handler can do
 * that for a SIGKILL, and a test helper should not take the signals away from the test runner.
 */
const SCRIPT = `
trap '' HUP INT TERM
pids=' '
dirs=''
while read -r what value; do
  case $what in
    started) pids="$pids$value " ;;
    ended) pids="\${pids%% $value *} \${pids#* $value }" ;;
    folder) dirs="$dirs$value
" ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
[ -n "$dirs" ] && sleep 1 && printf %s "$dirs" | while read -r dir; do rm -rf "$dir"; done
`

let pipe: Writable | undefined

export function killAtExit(pid: number): void {
  tell(`started ${pid}`)
}

/** To be told at once, as the system may give the id to another process. */
export function leaveAtExit(pid: number): void {
  tell(`ended ${pid}`)
}

export function removeAtExit(path: string): void {
  tell(`folder ${path}`)
}

function tell(line: string): void {
  pipe ??= startKeeper()
  pipe.write(`${line}\n`)
}

function startKeeper(): Writable {
  // In a session of its own: a Ctrl-C at the terminal must not reach it.
  const shell = spawn('/bin/sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  shell.unref()
  if (shell.stdin instanceof Socket) shell.stdin.unref()
  return shell.stdin
}
