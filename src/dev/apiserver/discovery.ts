import type { JsonObject } from './json.ts'
import type { Registry } from './registry.ts'
import { apiVersionOf, type ResourceType } from './resource.ts'

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
const STATUS_VERBS = ['get', 'patch', 'update']
const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

/** The version that the server says it is: the one its messages are taken from. */
export const VERSION: JsonObject = {
  major: '1',
  minor: '36',
  gitVersion: 'v1.36.3+kilonova-embedded',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: 'none',
  compiler: 'none',
  platform: 'node',
}

/** A discovery document and its media type. */
export interface DiscoveryDocument {
  readonly contentType: string
  readonly body: JsonObject
}

/** Answers /api, /apis and the group and version documents; undefined for any other path. */
export function discover(
  registry: Registry,
  path: string,
  accept: string | undefined,
): DiscoveryDocument | undefined {
  const parts = path.split('/').filter(Boolean)
  const aggregated = wantsAggregated(accept)
  if (parts[0] === 'api') {
    if (parts.length === 1) return aggregated ? groupList(registry, true) : json(coreVersions())
    return parts.length === 2 ? versionDocument(registry, parts[1] ?? '') : undefined
  }
  if (parts[0] !== 'apis') return undefined
  if (parts.length === 1) return aggregated ? groupList(registry, false) : json(apiGroups(registry))
  if (parts.length === 2) return groupDocument(registry, parts[1] ?? '')
  return parts.length === 3 ? versionDocument(registry, `${parts[1]}/${parts[2]}`) : undefined
}

function json(body: JsonObject): DiscoveryDocument {
  return { contentType: 'application/json', body }
}

function wantsAggregated(accept: string | undefined): boolean {
  return (accept ?? '').split(',').some((clause) => {
    const parameters = clause.split(';').map((part) => part.trim().toLowerCase())
    return parameters.includes('as=apigroupdiscoverylist') && parameters.includes('v=v2')
  })
}

function coreVersions(): JsonObject {
  return { kind: 'APIVersions', apiVersion: 'v1', versions: ['v1'], serverAddressByClientCIDRs: [] }
}

function apiGroup(name: string, versions: readonly string[]): JsonObject {
  const entries = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }))
  return { name, versions: entries, preferredVersion: entries[0] ?? null }
}

function apiGroups(registry: Registry): JsonObject {
  const groups = [...registry.groups()].filter(([name]) => name !== '')
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups.map(([name, versions]) => apiGroup(name, versions)),
  }
}

function groupDocument(registry: Registry, name: string): DiscoveryDocument | undefined {
  const versions = name ? registry.groups().get(name) : undefined
  return versions && json({ kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(name, versions) })
}

function versionDocument(registry: Registry, groupVersion: string): DiscoveryDocument | undefined {
  const types = registry.inGroupVersion(groupVersion)
  if (types.length === 0) return undefined
  const resources = types.flatMap((type) => [
    {
      name: type.plural,
      singularName: type.singular,
      namespaced: type.namespaced,
      kind: type.kind,
      verbs: VERBS,
      ...namesOf(type),
    },
    ...(type.hasStatus
      ? [
          {
            name: `${type.plural}/status`,
            singularName: '',
            namespaced: type.namespaced,
            kind: type.kind,
            verbs: STATUS_VERBS,
          },
        ]
      : []),
  ])
  return json({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources })
}

function namesOf(type: ResourceType): JsonObject {
  return {
    ...(type.shortNames.length > 0 ? { shortNames: [...type.shortNames] } : {}),
    ...(type.categories.length > 0 ? { categories: [...type.categories] } : {}),
  }
}

/** Aggregated discovery: everything in two answers instead of one a group version. */
function groupList(registry: Registry, core: boolean): DiscoveryDocument {
  const groups = [...registry.groups()].filter(([name]) => (name === '') === core)
  const items = groups.map(([name, versions]) => ({
    metadata: core ? {} : { name },
    versions: versions.map((version) => ({
      version,
      resources: registry
        .inGroupVersion(apiVersionOf({ group: name, version }))
        .map((type) => aggregatedResource(type)),
      freshness: 'Current',
    })),
  }))
  return {
    contentType: AGGREGATED,
    body: { kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2', metadata: {}, items },
  }
}

function aggregatedResource(type: ResourceType): JsonObject {
  const responseKind = { group: type.group, version: type.version, kind: type.kind }
  const status = { subresource: 'status', responseKind, verbs: STATUS_VERBS }
  return {
    resource: type.plural,
    responseKind,
    scope: type.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: type.singular,
    verbs: VERBS,
    ...namesOf(type),
    ...(type.hasStatus ? { subresources: [status] } : {}),
  }
}
