import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { readManifest, UnfitManifest } from './manifest.ts'

const OURS = 'apiVersion: compute.kilonova.dev/v1alpha1\nkind: Instance\n'

/** The hints of an instance, after its manifest was read. */
function hintsIn(hints: object): object | undefined {
  return readManifest(
    `${OURS}${stringify({ spec: { flavor: 'f', image: 'i', schedulerHints: hints } })}`,
    'default',
  ).spec.schedulerHints
}

describe('a manifest', () => {
  it('is read as far as it matters for where the instance goes', () => {
    const text = `${OURS}
metadata: { name: web, namespace: shop, labels: { app: web } }
spec: { flavor: m1.tiny, image: cirros, availabilityZone: west, schedulerHints: { group: web }, userData: aGk= }
status: { host: node-1 }`
    expect(readManifest(text, 'default')).toMatchObject({
      metadata: { name: 'web', namespace: 'shop' },
      spec: {
        flavor: 'm1.tiny',
        image: 'cirros',
        availabilityZone: 'west',
        schedulerHints: { group: 'web' },
      },
      status: {},
    })
  })

  it('without a namespace is of the one that is meant', () => {
    expect(readManifest(`${OURS}spec: { flavor: a, image: b }`, 'shop').metadata.namespace).toBe('shop')
  })

  it('may be JSON, and stand in a file with others', () => {
    const json = {
      apiVersion: 'compute.kilonova.dev/v1alpha1',
      kind: 'Instance',
      spec: { flavor: 'a', image: 'b' },
    }
    expect(readManifest(JSON.stringify(json), 'default').spec).toMatchObject({ flavor: 'a', image: 'b' })
    const many = `---\nkind: ServerGroup\n---\n# nothing\n---\n${OURS}spec: { flavor: a, image: b }\n---\n`
    expect(readManifest(many, 'default').spec).toMatchObject({ flavor: 'a', image: 'b' })
  })

  it('keeps all the hints', () => {
    const hints = {
      group: 'web',
      different_host: ['a'],
      same_host: ['b'],
      build_near_host_ip: '10.0.0.1',
      cidr: '/16',
    }
    expect(hintsIn(hints)).toEqual(hints)
  })

  it.each([
    [{ build_near_host_ip: 'node-1' }, 'this is no IP address'],
    [{ build_near_host_ip: 'fe80::1%eth0' }, 'this is no IP address'],
    [{ build_near_host_ip: '10.0.0.1', cidr: '24' }, 'cidr'],
    [{ build_near_host_ip: 'fd00::1', cidr: '/129' }, 'cidr'],
    [{ build_near_host_ip: '10.0.0.1', cidr: '/33' }, 'this needs build_near_host_ip, and is no longer'],
    [{ cidr: '/24' }, 'this needs build_near_host_ip'],
    [{ groups: ['web'] }, 'spec.schedulerHints: Unrecognized key: "groups"'],
    [
      { same_host: ['a', 'b'], different_host: ['b'] },
      'spec.schedulerHints: the hints contradict each other, because different_host and same_host name the same instance',
    ],
  ])('with a hint that means nothing is refused: %j', (hints, says) => {
    expect(() => hintsIn(hints)).toThrow(says)
  })

  it.each([
    { text: '', says: 'it is empty' },
    { text: '---\n# nothing\n---\n', says: 'it is empty' },
    { text: '{', says: 'it is no YAML: Flow map must end with a }' },
    { text: 'kind: Instance\nspec: { image: *cirros }', says: 'it is no YAML: Unresolved alias' },
    { text: 'hello', says: 'it holds something that is no Kubernetes object' },
    { text: 'kind: Pod\n---\nkind: Secret', says: 'it holds no Instance, but Pod, Secret' },
    { text: 'a: b', says: 'it holds no Instance, but something without a kind' },
    {
      text: 'kind: Instance\nmetadata: { name: a }\n---\nkind: Instance',
      says: 'it holds 2 Instances (a, one without a name); ask for one at a time',
    },
    {
      text: 'apiVersion: ec2.example/v1\nkind: Instance\nspec: { flavor: a, image: b }',
      says: 'apiVersion: expected "compute.kilonova.dev/v1alpha1"',
    },
    { text: `${OURS}spec: { flavor: a }`, says: 'spec.image: expected string, received undefined' },
    { text: `${OURS}metadata: { name: a }`, says: 'spec: expected object, received undefined' },
    {
      text: `${OURS}spec: { flavor: a, image: b, availabiltyZone: west }`,
      says: 'spec: Unrecognized key: "availabiltyZone"',
    },
  ])('$text cannot be used: $says', ({ text, says }) => {
    const read = (): unknown => readManifest(text, 'default')
    expect(read).toThrow(UnfitManifest)
    expect(read).toThrow(`The manifest cannot be used: ${says}`)
  })
})
