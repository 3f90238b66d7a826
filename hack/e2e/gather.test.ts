import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { gather } from './gather.ts'
import { failed, FakeCommands } from './testing.ts'

const PODS = JSON.stringify({
  items: [
    {
      metadata: { namespace: 'kilonova-system', name: 'kilonova-api-1' },
      status: { containerStatuses: [{ restartCount: 0 }] },
    },
    {
      metadata: { namespace: 'kubevirt', name: 'virt-handler-1' },
      status: { containerStatuses: [{ restartCount: 2 }] },
    },
    { metadata: { namespace: 'scenario-1', name: 'virt-launcher-web' }, status: {} },
  ],
})

describe('what is gathered of a cluster', () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kilonova-gather-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const from = async (commands: FakeCommands): Promise<number> =>
    gather(commands, { kubectl: 'kubectl', kubeconfig: '/its/kubeconfig', folder })

  it('is the logs of every Pod, also those before a restart, and the objects', async () => {
    const commands = new FakeCommands([
      [/get pods .*json/, PODS],
      [/ logs .*virt-handler-1 .*--previous/, 'panic!'],
      [/ logs .*kilonova-api-1/, 'Accepted create of instance'],
    ])

    const written = await from(commands)

    expect(readdirSync(join(folder, 'logs')).toSorted()).toEqual([
      'kilonova-system_kilonova-api-1.log',
      'kubevirt_virt-handler-1.log',
      'kubevirt_virt-handler-1.previous.log',
      'scenario-1_virt-launcher-web.log',
    ])
    const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
    expect(read('logs/kilonova-system_kilonova-api-1.log')).toBe('Accepted create of instance')
    expect(read('logs/kubevirt_virt-handler-1.previous.log')).toBe('panic!')
    expect(readdirSync(folder)).toEqual(
      expect.arrayContaining([
        'events.txt',
        'kilonova.yaml',
        'virtual-machines.yaml',
        'pods.txt',
        'nodes.txt',
      ]),
    )
    expect(written).toBe(4 + readdirSync(folder).length - 1)
    expect(commands.lines.every((line) => line.includes('--kubeconfig=/its/kubeconfig'))).toBe(true)
  })

  it('is the reason, where there is nothing to be had', async () => {
    const commands = new FakeCommands([[/./, failed('connection refused')]])

    await from(commands)

    expect(readFileSync(join(folder, 'events.txt'), 'utf8')).toContain('connection refused')
    expect(readdirSync(join(folder, 'logs'))).toEqual([])
  })
})
