import { existsSync, mkdirSync, mkdtempSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { renderChart } from '../chart.ts'
import { makeFolder, removeFolder } from './folder.ts'
import { greets } from './nats.ts'
import { Part } from './part.ts'
import { freePort, retryOnPortRace } from './ports.ts'
import { program } from './programs.ts'

/** What the chart's pods of NATS are given besides their configuration. */
export interface NatsMaterial {
  /** ISSUER, AUTH_USER and XKEY. */
  readonly env: Readonly<Record<string, string>>
  /** tls.crt, tls.key and ca.crt. */
  readonly tls: Readonly<Record<string, string>>
}

export interface ChartNats {
  /** Of all servers. */
  readonly url: string
  readonly urls: readonly string[]
  readonly parts: readonly Part[]
  /** How many messages all streams hold. */
  stored(): Promise<number>
  /** Ends the servers, and takes away what they stored; `restart()` begins with nothing. */
  wipe(): Promise<void>
  stop(): Promise<void>
  kill(): Promise<void>
  restart(): Promise<void>
  /** Certificates anew, as a volume shows those of a changed Secret. */
  show(material: NatsMaterial): void
  /** Of each server, what its Pod shares with the container beside it. */
  readonly pods: readonly NatsPod[]
}

/** Options of `kilonova nats-reload`. */
export interface NatsPod {
  readonly certificates: string
  readonly pidFile: string
  readonly monitor: string
}

/** nats-server, once or as a cluster on this machine, with the configuration that the chart's pods have. */
export async function startChartNats(material: NatsMaterial, replicas = 1): Promise<ChartNats> {
  return retryOnPortRace(() => startOnce(material, replicas))
}

async function startOnce(material: NatsMaterial, replicas: number): Promise<ChartNats> {
  const dir = makeFolder('chart-nats')
  const configuration = await chartConfiguration(replicas)
  const places = await Promise.all(Array.from({ length: replicas }, (_, index) => makePlace(dir, index)))
  const parts = places.map((place) => makePart(place, places, material, configuration))
  const stop = async () => {
    await Promise.all(parts.map((part) => part.stop()))
    removeFolder(dir)
  }
  try {
    await Promise.all(parts.map((part) => part.start()))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url: `tls://${places.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    urls: places.map(({ port }) => `tls://127.0.0.1:${port}`),
    parts,
    stop,
    stored: async () => {
      const { messages } = await jetstreamOf(places[0])
      return messages
    },
    wipe: async () => {
      await Promise.all(parts.map((part) => part.kill()))
      for (const place of places) removeFolder(join(place.dir, 'data'))
    },
    kill: async () => void (await Promise.all(parts.map((part) => part.kill()))),
    restart: async () => void (await Promise.all(parts.map((part) => part.restart()))),
    show: ({ tls }) => {
      for (const place of places) showTls(place, tls)
    },
    pods: places.map((place) => ({
      certificates: tlsFolder(place),
      pidFile: pidFile(place),
      monitor: `http://127.0.0.1:${place.monitorPort}`,
    })),
  }
}

const jetstream = z.looseObject({ messages: z.int() })

async function jetstreamOf(place: Place | undefined): Promise<z.infer<typeof jetstream>> {
  return jetstream.parse(await (await fetch(`http://127.0.0.1:${place?.monitorPort}/jsz`)).json())
}

/** Where one server is: in the chart each has a host of its own. */
interface Place {
  readonly name: string
  readonly dir: string
  readonly port: number
  readonly clusterPort: number
  readonly monitorPort: number
}

async function makePlace(dir: string, index: number): Promise<Place> {
  const name = `kilonova-nats-${index}`
  const [port, clusterPort, monitorPort] = [await freePort(), await freePort(), await freePort()]
  return { name, dir: join(dir, name), port, clusterPort, monitorPort }
}

function makePart(
  place: Place,
  places: readonly Place[],
  material: NatsMaterial,
  configuration: string,
): Part {
  showTls(place, material.tls)
  const configFile = join(place.dir, 'nats.conf')
  writeFileSync(configFile, atPlace(configuration, place, places))
  return new Part({
    name: place.name,
    program: program('nats-server'),
    args: ['--config', configFile, '--pid', pidFile(place)],
    env: { ...material.env, POD_NAME: place.name },
    logFile: join(place.dir, 'nats-server.log'),
    isReady: async () => {
      const health = await fetch(`http://127.0.0.1:${place.monitorPort}/healthz`)
      return health.ok && (await greets(place.port))
    },
    readyWithinMs: 60_000,
  })
}

function tlsFolder({ dir }: Place): string {
  return join(dir, 'tls')
}

function pidFile({ dir }: Place): string {
  return join(dir, 'nats.pid')
}

/** As kubelet does: all files are exchanged at once, by a link to the folder they are in. */
function showTls(place: Place, tls: NatsMaterial['tls']): void {
  const folder = tlsFolder(place)
  mkdirSync(folder, { recursive: true })
  const version = mkdtempSync(join(folder, '..version-'))
  for (const [name, text] of Object.entries(tls)) writeFileSync(join(version, name), text)
  const data = join(folder, '..data')
  symlinkSync(version, `${data}_tmp`)
  renameSync(`${data}_tmp`, data)
  for (const name of Object.keys(tls)) {
    const link = join(folder, name)
    if (!existsSync(link)) symlinkSync(join('..data', name), link)
  }
}

/** The chart's configuration with the ports and folders of this machine, and no other change. */
function atPlace(configuration: string, place: Place, places: readonly Place[]): string {
  const changes: [string, string][] = [
    ['port: 4222', `host: 127.0.0.1\nport: ${place.port}`],
    ['http_port: 8222', `http: "127.0.0.1:${place.monitorPort}"`],
    ['"/data"', JSON.stringify(join(place.dir, 'data'))],
    ['/etc/nats-tls/', `${tlsFolder(place)}/`],
  ]
  if (places.length > 1) {
    changes.push(['port: 6222', `host: 127.0.0.1\n  port: ${place.clusterPort}`])
    for (const { name, clusterPort } of places) {
      changes.push([
        `tls://${name}.kilonova-nats-headless.kilonova-system.svc:6222`,
        `tls://127.0.0.1:${clusterPort}`,
      ])
    }
  }
  let changed = configuration
  for (const [from, to] of changes) {
    if (!changed.includes(from)) throw new Error(`the chart's nats.conf has no ${from}`)
    changed = changed.replaceAll(from, to)
  }
  return changed
}

async function chartConfiguration(replicas: number): Promise<string> {
  const manifests = await renderChart({
    release: 'kilonova',
    namespace: 'kilonova-system',
    kubeVersion: '1.36.0',
    apiVersions: [],
    values: { 'nats.replicas': String(replicas) },
  })
  const found = manifests.find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'kilonova-nats-config',
  )
  const { data } = Object(found)
  const text: unknown = Object(data)['nats.conf']
  if (typeof text !== 'string') throw new Error('the chart has no nats.conf')
  return text
}
