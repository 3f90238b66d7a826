import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'
import { CommandFailedError, type Commands } from './commands.ts'
import type { Programs } from './programs.ts'
import { E2E, INOTIFY } from './settings.ts'

const config = z.object({ nodes: z.tuple([z.object({ image: z.string() })], z.unknown()) })

function nodeImage(): string {
  const { nodes } = config.parse(parse(readFileSync(E2E.kindConfig, 'utf8')))
  return nodes[0].image
}

export interface Toolbox {
  readonly commands: Commands
  readonly programs: Programs
  /** Tells the user. */
  readonly log: (line: string) => void
}

/** The kind cluster of a run. Its nodes are containers of Docker with the same names. */
export class KindCluster {
  readonly #tools: Toolbox

  constructor(tools: Toolbox) {
    this.#tools = tools
  }

  async exists(): Promise<boolean> {
    const names = await this.#kind(['get', 'clusters', '--quiet'])
    return names.split('\n').includes(E2E.cluster)
  }

  /** Makes it and writes its kubeconfig. */
  async create(): Promise<void> {
    await this.#kind(['create', 'cluster', ...this.#named(), `--config=${E2E.kindConfig}`, '--wait=5m'])
  }

  /** Writes the kubeconfig of one that is there. */
  async writeKubeconfig(): Promise<void> {
    await this.#kind(['export', 'kubeconfig', ...this.#named()])
  }

  async delete(): Promise<void> {
    await this.#kind(['delete', 'cluster', ...this.#named()])
  }

  async load(image: string): Promise<void> {
    await this.#kind(['load', 'docker-image', image, `--name=${E2E.cluster}`])
  }

  /**
   * Gives the kernel, which all nodes share with this machine, what that many nodes with KubeVirt need; it may have more
   * already. Before there is a node: some of them would fail to start.
   */
  async raiseInotifyLimits(): Promise<void> {
    for (const [name, needed] of Object.entries(INOTIFY)) {
      const value = Number(await this.#sysctl('-n', name))
      if (value >= needed) continue
      this.#tools.log(`raising ${name} of this machine from ${value} to ${needed}, until it starts anew`)
      await this.#sysctl('-w', `${name}=${needed}`)
    }
  }

  /** Whether a guest can use the hardware on every worker. KubeVirt asks for these devices unless it may emulate. */
  async hasVirtualization(): Promise<boolean> {
    for (const node of await this.#workers()) {
      for (const device of ['/dev/kvm', '/dev/vhost-net']) {
        try {
          await this.#inNode(node, ['test', '-c', device])
        } catch (error) {
          if (error instanceof CommandFailedError) return false
          throw error
        }
      }
    }
    return true
  }

  async #workers(): Promise<readonly string[]> {
    const nodes = await this.#kind(['get', 'nodes', `--name=${E2E.cluster}`])
    return nodes.split('\n').filter((name) => name.startsWith(`${E2E.cluster}-worker`))
  }

  #named(): readonly string[] {
    return [`--name=${E2E.cluster}`, `--kubeconfig=${E2E.kubeconfig}`]
  }

  async #kind(args: readonly string[]): Promise<string> {
    return this.#tools.commands.run(this.#tools.programs.kind, args)
  }

  /** In a container of the image that is needed anyway: the settings are the kernel's, and Docker's may be another machine's. */
  async #sysctl(...args: readonly string[]): Promise<string> {
    const run = ['run', '--rm', '--privileged', '--entrypoint=sysctl', nodeImage(), ...args]
    return this.#tools.commands.run(this.#tools.programs.docker, run)
  }

  async #inNode(node: string, command: readonly string[]): Promise<string> {
    return this.#tools.commands.run(this.#tools.programs.docker, ['exec', node, ...command])
  }
}
