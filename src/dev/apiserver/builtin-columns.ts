import { ageOf } from './age.ts'
import { get, getObjects, getString, isObject, type Json, type JsonObject, textOf } from './json.ts'
import type { Column } from './resource.ts'
import { AGE_COLUMN, NAME_COLUMN } from './table.ts'

type Cell = Column['cell']

function text(name: string, cell: Cell, priority = 0): Column {
  return { name, type: 'string', priority, cell }
}

function at(...path: string[]): Cell {
  return (object) => getString(object, ...path) ?? '<none>'
}

function countOf(...maps: string[]): Cell {
  return (object) =>
    maps.reduce((sum, map) => {
      const value = get(object, map)
      return sum + (isObject(value) ? Object.keys(value).length : 0)
    }, 0)
}

function nodeStatus(object: JsonObject): string {
  const ready = getObjects(object, 'status', 'conditions').find((condition) => condition['type'] === 'Ready')
  const words = [ready === undefined ? 'Unknown' : ready['status'] === 'True' ? 'Ready' : 'NotReady']
  if (get(object, 'spec', 'unschedulable') === true) words.push('SchedulingDisabled')
  return words.join(',')
}

const ROLE_PREFIX = 'node-role.kubernetes.io/'

function nodeRoles(object: JsonObject): string {
  const labels = get(object, 'metadata', 'labels')
  const roles = Object.keys(isObject(labels) ? labels : {})
    .filter((key) => key.startsWith(ROLE_PREFIX))
    .map((key) => key.slice(ROLE_PREFIX.length))
  return roles.sort().join(',') || '<none>'
}

function nodeAddress(type: string): Cell {
  return (object) => {
    const address = getObjects(object, 'status', 'addresses').find((item) => item['type'] === type)
    return getString(address, 'address') ?? '<none>'
  }
}

/** The last time an event happened, whichever of its three ways of saying so it uses. */
function eventAge(first: boolean): Cell {
  return (object, now) => {
    const earliest = getString(object, 'firstTimestamp') ?? getString(object, 'eventTime')
    const latest =
      getString(object, 'series', 'lastObservedTime') ?? getString(object, 'lastTimestamp') ?? earliest
    return ageOf(first ? earliest : latest, now)
  }
}

function eventObject(object: JsonObject): string {
  const kind = (getString(object, 'involvedObject', 'kind') ?? '').toLowerCase()
  const name = getString(object, 'involvedObject', 'name') ?? ''
  return kind ? `${kind}/${name}` : name
}

function eventSource(object: JsonObject): string {
  const component = getString(object, 'source', 'component') || getString(object, 'reportingComponent') || ''
  return [component, getString(object, 'source', 'host')].filter(Boolean).join(', ')
}

function podReady(object: JsonObject): string {
  const statuses = getObjects(object, 'status', 'containerStatuses')
  const ready = statuses.filter((status) => status['ready'] === true).length
  return `${ready}/${getObjects(object, 'spec', 'containers').length}`
}

function podStatus(object: JsonObject): string {
  if (get(object, 'metadata', 'deletionTimestamp') !== undefined) return 'Terminating'
  return getString(object, 'status', 'reason') ?? getString(object, 'status', 'phase') ?? 'Unknown'
}

function podRestarts(object: JsonObject): string {
  const counts = getObjects(object, 'status', 'containerStatuses').map((status) =>
    Number(status['restartCount']),
  )
  return String(counts.reduce((sum, count) => sum + (count || 0), 0))
}

const createdAt: Cell = (object): Json => get(object, 'metadata', 'creationTimestamp') ?? null

/** What `kubectl get` shows of each builtin kind, by plural name. */
export const BUILTIN_COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  configmaps: [NAME_COLUMN, text('Data', countOf('data', 'binaryData')), AGE_COLUMN],
  customresourcedefinitions: [NAME_COLUMN, { name: 'Created At', type: 'date', cell: createdAt }],
  events: [
    text('Last Seen', eventAge(false)),
    text('Type', at('type')),
    text('Reason', at('reason')),
    text('Object', eventObject),
    text('Subobject', (object) => getString(object, 'involvedObject', 'fieldPath') ?? '', 1),
    text('Source', eventSource, 1),
    text('Message', (object) => (getString(object, 'message') ?? '').trim()),
    text('First Seen', eventAge(true), 1),
    text('Count', (object) => textOf(get(object, 'count') ?? get(object, 'series', 'count') ?? 1), 1),
    { ...NAME_COLUMN, priority: 1 },
  ],
  leases: [
    NAME_COLUMN,
    text('Holder', (object) => getString(object, 'spec', 'holderIdentity') ?? ''),
    AGE_COLUMN,
  ],
  namespaces: [NAME_COLUMN, text('Status', at('status', 'phase')), AGE_COLUMN],
  nodes: [
    NAME_COLUMN,
    text('Status', nodeStatus),
    text('Roles', nodeRoles),
    AGE_COLUMN,
    text('Version', (object) => getString(object, 'status', 'nodeInfo', 'kubeletVersion') ?? ''),
    text('Internal-IP', nodeAddress('InternalIP'), 1),
    text('External-IP', nodeAddress('ExternalIP'), 1),
    text('OS-Image', (object) => getString(object, 'status', 'nodeInfo', 'osImage') || '<unknown>', 1),
    text(
      'Kernel-Version',
      (object) => getString(object, 'status', 'nodeInfo', 'kernelVersion') || '<unknown>',
      1,
    ),
    text(
      'Container-Runtime',
      (object) => getString(object, 'status', 'nodeInfo', 'containerRuntimeVersion') || '<unknown>',
      1,
    ),
  ],
  pods: [
    NAME_COLUMN,
    text('Ready', podReady),
    text('Status', podStatus),
    text('Restarts', podRestarts),
    AGE_COLUMN,
    text('IP', at('status', 'podIP'), 1),
    text('Node', at('spec', 'nodeName'), 1),
    text('Nominated Node', at('status', 'nominatedNodeName'), 1),
    text('Readiness Gates', () => '<none>', 1),
  ],
  secrets: [NAME_COLUMN, text('Type', at('type')), text('Data', countOf('data')), AGE_COLUMN],
  serviceaccounts: [NAME_COLUMN, AGE_COLUMN],
}
