import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { z } from 'zod'
import type { ControlPlane } from './parts/control-plane.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const POLL_MS = 100

const jobs = z.object({
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({ name: z.string(), namespace: z.string(), uid: z.string() }),
      spec: z.looseObject({
        template: z.looseObject({
          spec: z.looseObject({
            containers: z.array(
              z.looseObject({
                args: z.array(z.string()),
                env: z.array(z.object({ name: z.string(), value: z.string() })),
              }),
            ),
          }),
        }),
      }),
    }),
  ),
})
type Job = z.infer<typeof jobs>['items'][number]

/** Does what a cluster does with a Job: runs what its container says, here as a process, and writes down how it ended. */
export class JobRunner {
  readonly #plane: ControlPlane
  readonly #seen = new Set<string>()
  /** `name`, of each Job that was run, in order. */
  readonly ran: string[] = []
  #running: Promise<void> | undefined
  #isStopped = false

  constructor(plane: ControlPlane) {
    this.#plane = plane
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Resolves when the Job under way has ended. Rejects with what went wrong meanwhile. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const answer = await this.#plane.request('/apis/batch/v1/jobs')
      const { items } = jobs.parse(await answer.json())
      for (const job of items.filter(({ metadata }) => !this.#seen.has(metadata.uid))) {
        this.#seen.add(job.metadata.uid)
        await this.#do(job)
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  async #do({ metadata, spec }: Job): Promise<void> {
    const startTime = now()
    const [container] = spec.template.spec.containers
    const own = Object.fromEntries(container?.env.map(({ name, value }) => [name, value]) ?? [])
    const env = { ...process.env, ...own, KILONOVA_KUBECONFIG: this.#plane.kubeconfigPath }
    await promisify(execFile)(process.execPath, [MAIN, ...(container?.args ?? [])], { env })
    this.ran.push(metadata.name)
    const condition = (type: string): object => ({
      type,
      status: 'True',
      lastTransitionTime: now(),
      reason: 'CompletionsReached',
    })
    const status = {
      startTime,
      completionTime: now(),
      succeeded: 1,
      conditions: [condition('SuccessCriteriaMet'), condition('Complete')],
    }
    const path = `/apis/batch/v1/namespaces/${metadata.namespace}/jobs/${metadata.name}/status`
    const answer = await this.#plane.request(path, {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ status }),
    })
    if (!answer.ok) throw new Error(`the end of ${metadata.name} was not taken: ${await answer.text()}`)
  }
}

function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z')
}
