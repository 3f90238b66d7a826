import { expect, it } from 'vitest'
import { CommandFailedError, MachineCommands } from './commands.ts'

const commands = new MachineCommands(process.cwd())

it('gives what a program prints, and leaves out what it complains of', async () => {
  expect(await commands.run('sh', ['-c', 'echo out; echo err >&2'])).toBe('out\n')
})

it('hands on input and environment', async () => {
  const options = { input: 'in\n', env: { E2E_WORD: 'word' } }
  expect(await commands.run('sh', ['-c', 'cat; echo $E2E_WORD'], options)).toBe('in\nword\n')
})

it('says how a program failed, and what it said last', async () => {
  const script = 'for i in $(seq 40); do echo line $i; done; echo the reason >&2; exit 3'
  const error = await commands.run('/bin/sh', ['-c', script]).catch((one: unknown) => one)

  expect(error).toBeInstanceOf(CommandFailedError)
  expect(String(error)).toContain('ended with 3:\nline 12\n')
  expect(String(error)).toMatch(/\nthe reason$/)
})

it('survives a program that ends without reading its input', async () => {
  expect(await commands.run('true', [], { input: 'x'.repeat(1_000_000) })).toBe('')
})

it('says that a program could not be run', async () => {
  await expect(commands.run('/nowhere/kind', ['version'])).rejects.toThrow(
    /^kind version could not be run:\n.*ENOENT/,
  )
})

it('ends the program that runs, and runs no more, once it is told to stop', async () => {
  const stop = new AbortController()
  const stoppable = new MachineCommands(process.cwd(), stop.signal)
  const running = stoppable.run('sleep', ['60'])

  stop.abort(new Error('stopped by SIGINT'))

  await expect(running).rejects.toThrow('stopped by SIGINT')
  await expect(stoppable.run('true', [])).rejects.toThrow('stopped by SIGINT')
})
