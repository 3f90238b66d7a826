import { expect } from 'vitest'
import type { Bookings } from '../scenarios/bookings.ts'
import type { Project } from '../scenarios/instances.ts'

/** Users who go on as if nothing were: each launches, shuts off and deletes one instance after the other. */
export class Traffic {
  readonly #project: Project
  readonly #bookings: Bookings
  readonly #users: Promise<number>[] = []
  #isEnding = false

  constructor(project: Project, bookings: Bookings) {
    this.#project = project
    this.#bookings = bookings
  }

  start(users: number): void {
    for (let user = 0; user < users; user++) this.#users.push(this.#goOn(`user-${user}`))
    // What goes wrong is told at the end.
    for (const user of this.#users) user.catch(() => undefined)
  }

  /** Lets each finish what it has begun, and tells how many instances there were. Rejects when one did not end as it should. */
  async end(): Promise<number> {
    this.#isEnding = true
    const counts = await Promise.all(this.#users)
    return counts.reduce((sum, count) => sum + count, 0)
  }

  async #goOn(user: string): Promise<number> {
    let count = 0
    while (!this.#isEnding) {
      count += 1
      await this.#one(`${user}-${count}`)
    }
    return count
  }

  async #one(name: string): Promise<void> {
    const { metadata, status } = await this.#project.launch(name)
    expect(await this.#bookings.vmsSeen(metadata.uid), `VMs of ${name}`).toBe(1)
    expect(status.fault).toBeUndefined()
    await this.#project.patch(name, { powerState: 'Shutdown' })
    const { status: off } = await this.#project.untilState(name, 'stopped')
    expect(off.host).toBe(status.host)
    await this.#project.delete(name)
    await this.#project.untilGone(name)
    const actions = await this.#project.actions(name)
    expect(actions.map(({ spec }) => spec.action)).toEqual(['create', 'stop', 'delete'])
  }
}
