import { describe, expect, it } from 'vitest'
import { hostResourcesOf } from './node-resources.ts'
import { parseQuantity } from './quantity.ts'
import type { Node } from './resources.ts'

describe('parseQuantity', () => {
  it.each([
    ['8', 8],
    ['3920m', 3.92],
    ['16282508Ki', 16_282_508 * 1024],
    ['16Gi', 16 * 2 ** 30],
    ['1e3', 1000],
    ['2E', 2e18],
    ['0.5', 0.5],
    ['', undefined],
    ['many', undefined],
    ['8Q', undefined],
  ])('reads %j as %j', (text, want) => {
    const number = parseQuantity(text)

    if (want === undefined) expect(number).toBeUndefined()
    else expect(number).toBeCloseTo(want, 6)
  })
})

describe('hostResourcesOf', () => {
  function makeNode(change: Node['status'] = {}, labels: Record<string, string> = {}): Node {
    return { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1', labels }, status: change }
  }

  it.each([
    {
      name: 'a node with KVM in a zone',
      node: makeNode(
        {
          allocatable: {
            cpu: '7910m',
            memory: '16282508Ki',
            'ephemeral-storage': '94992122Ki',
            'devices.kubevirt.io/kvm': '1k',
          },
          nodeInfo: { architecture: 'arm64' },
          addresses: [
            { type: 'Hostname', address: 'node-1' },
            { type: 'ExternalIP', address: '192.0.2.1' },
            { type: 'InternalIP', address: '10.0.0.1' },
            { type: 'InternalIP', address: 'fd00::1' },
          ],
        },
        { 'topology.kubernetes.io/zone': 'az-1' },
      ),
      want: {
        vcpus: 7,
        memoryMb: 15_900,
        diskGb: 90,
        hypervisorType: 'kvm',
        architecture: 'aarch64',
        hostIp: '10.0.0.1',
        availabilityZone: 'az-1',
      },
    },
    {
      name: 'a node that reports nothing yet',
      node: makeNode(),
      want: {
        vcpus: 0,
        memoryMb: 0,
        diskGb: 0,
        hypervisorType: 'qemu',
        architecture: 'x86_64',
        hostIp: undefined,
        availabilityZone: undefined,
      },
    },
  ])('reads $name', ({ node, want }) => {
    expect(hostResourcesOf(node)).toEqual(want)
  })
})
