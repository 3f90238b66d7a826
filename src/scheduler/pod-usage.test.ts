import { beforeEach, describe, expect, it } from 'vitest'
import { makeComputeNode, makeRequest } from '../testing/builders.ts'
import { SchedulerWorld } from '../testing/scheduler-world.ts'
import { REQUESTING_POD, type RequestingPod, requestsOf, trimPod } from './pod-usage.ts'

const asks = (cpu: string, memory: string, more: object = {}): object => ({
  resources: { requests: { cpu, memory } },
  ...more,
})

function pod(spec: object, name = 'p', phase = 'Running'): RequestingPod {
  return {
    apiVersion: 'v1',
    kind: REQUESTING_POD.kind,
    metadata: { namespace: 'default', name },
    spec: { nodeName: 'node-1', ...spec },
    status: { phase },
  }
}

describe('what a Pod asks for', () => {
  it.each([
    ['nothing', {}, 0, 0],
    ['its containers', { containers: [asks('100m', '64Mi'), asks('1', '1Gi')] }, 1100, 1088],
    [
      'the greatest init container, if that is more',
      { containers: [asks('1', '64Mi')], initContainers: [asks('2', '32Mi'), asks('1', '1Gi')] },
      2000,
      1024,
    ],
    [
      'sidecars beside its containers',
      {
        containers: [asks('1', '64Mi')],
        initContainers: [asks('500m', '64Mi', { restartPolicy: 'Always' })],
      },
      1500,
      128,
    ],
    [
      'sidecars beside the init containers that come after them',
      { containers: [], initContainers: [asks('500m', '0', { restartPolicy: 'Always' }), asks('2', '0')] },
      2500,
      0,
    ],
    ['its overhead', { containers: [asks('1', '0')], overhead: { cpu: '250m', memory: '10Mi' } }, 1250, 10],
  ])('is %s', (_what, spec, vcpus, memoryMb) => {
    expect(requestsOf(pod(spec))).toMatchObject({ vcpus, memoryMb })
    expect(requestsOf(trimPod(pod(spec)))).toMatchObject({ vcpus, memoryMb })
  })

  it.each(['Succeeded', 'Failed'])('is nothing any more once it has %s', (phase) => {
    expect(requestsOf(pod({ containers: [asks('1', '1Gi')] }, 'p', phase))).toMatchObject({ vcpus: 0 })
  })
})

describe('a host', () => {
  let world: SchedulerWorld

  beforeEach(() => {
    world = new SchedulerWorld()
    world.start()
    world.nodes.tell(makeComputeNode({ status: { inventory: { vcpus: 4, memoryMb: 4096, diskGb: 40 } } }))
  })

  const fits = (memoryMb: number): boolean =>
    world.scheduler.select(makeRequest({ flavor: { memoryMb } }), {
      ignoreHosts: [],
      preferHosts: [],
      maxAlternates: 0,
    }).host !== undefined

  it('has less for guests while other Pods are on it', () => {
    expect(fits(4096)).toBe(true)
    world.pods.tell(pod({ containers: [asks('100m', '96Mi')] }, 'a'))
    world.pods.tell(pod({ containers: [asks('100m', '1000Mi')] }, 'b'))
    expect(world.hosts.stateOf('node-1')?.reserved).toEqual({ vcpus: 1, memoryMb: 1096, diskGb: 0 })
    expect([fits(3000), fits(3001)]).toEqual([true, false])

    world.pods.tellGone(pod({}, 'b'))
    expect([fits(4000), fits(4001)]).toEqual([true, false])
  })
})
