import { expect } from 'vitest'
import { COMPUTE_NODE } from '../../src/apis/v1alpha1/compute-node.ts'
import { INSTANCE, type Instance } from '../../src/apis/v1alpha1/instance.ts'
import type { KubeObject } from '../../src/kube/resource.ts'
import { bookingsOf } from '../../src/objects/bookings.ts'
import { HOST_LABEL, INSTANCE_UID_LABEL } from '../../src/virt/kubevirt/ownership.ts'
import { SECRET, VIRTUAL_MACHINE, VIRTUAL_MACHINE_INSTANCE } from '../../src/virt/kubevirt/resources.ts'
import { eventually } from './eventually.ts'
import type { World } from './world.ts'

/**
 * What must hold of a world whenever nothing is being done: every instance that was launched has its one VM on its host
 * (one that is shelved and offloaded on none), nothing else has one, what the agents claim is what is bound, and nothing is
 * left over.
 */
export async function audit(world: World): Promise<void> {
  const { items: instances } = await world.client.list(INSTANCE)
  expect(instances.filter(isBusy).map(describe)).toEqual([])

  // What is in error may have a guest or none.
  const inError = new Set(instances.filter(isInError).map(({ metadata }) => metadata.uid))
  const wanted = instances
    .filter(hasGuest)
    .map(({ metadata, status }) => `${metadata.uid} on ${status.host ?? ''}`)
  // What no agent removed goes after its instance, by the garbage collector.
  const vms = await eventually('each instance has its VM, and nothing else has one', async () => {
    const { items } = await world.client.list(VIRTUAL_MACHINE)
    const ours = items.filter((vm) => uidOf(vm) !== undefined && !inError.has(uidOf(vm)))
    const found = ours.map((vm) => `${uidOf(vm)} on ${vm.metadata.labels?.[HOST_LABEL]}`)
    expect(found.toSorted()).toEqual(wanted.toSorted())
    return items
  })

  const uids = new Set(vms.map(uidOf))
  const { items: vmis } = await world.client.list(VIRTUAL_MACHINE_INSTANCE)
  expect(vmis.filter((vmi) => uidOf(vmi) && !uids.has(uidOf(vmi))).map(nameOf)).toEqual([])
  const { items: secrets } = await world.client.list(SECRET)
  const left = secrets.map(nameOf).filter((name) => name.includes('kilonova-user-data-'))
  const there = instances.map(({ metadata }) => metadata.uid ?? '')
  expect(left.filter((name) => !there.some((uid) => name.includes(uid)))).toEqual([])

  await eventually('what is claimed is what is bound', async () => {
    expect(await claimed(world)).toEqual(bound(instances))
    return true
  })
  await eventually('no message is left', async () => {
    expect(await world.broker.stored()).toBe(0)
    return true
  })
}

/** The end of a world, or of one's part in it: what is there is as it must be, and can all be deleted. */
export async function leave(world: World): Promise<void> {
  await audit(world)
  const { items } = await world.client.list(INSTANCE)
  const refs = items.map(({ metadata }) => ({ namespace: metadata.namespace ?? '', name: metadata.name }))
  await Promise.all(refs.map((ref) => world.client.delete(INSTANCE, ref)))
  await Promise.all(refs.map((ref) => world.follower.untilGone(ref)))
  await audit(world)
  await world.stop()
}

function isBusy({ metadata, status }: Instance): boolean {
  return status.taskState !== undefined || metadata.deletionTimestamp !== undefined
}

function describe({ metadata, status }: Instance): string {
  const { vmState, taskState } = status
  return `${metadata.name}: ${vmState}/${taskState} ${metadata.deletionTimestamp ?? ''} ${metadata.finalizers?.join(' ') ?? ''}`
}

function hasGuest({ status }: Instance): boolean {
  return status.vmState !== 'building' && status.vmState !== 'error' && status.vmState !== 'deleted'
}

function isInError({ status }: Instance): boolean {
  return status.vmState === 'error'
}

function uidOf({ metadata }: KubeObject): string | undefined {
  return metadata.labels?.[INSTANCE_UID_LABEL]
}

function nameOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.name}`
}

/** What each host has claimed, as its ComputeNode shows it. */
async function claimed(world: World): Promise<Readonly<Record<string, number>>> {
  const { items } = await world.client.list(COMPUTE_NODE)
  const usages = items.map(({ metadata, status }) => [metadata.name, status?.usage?.memoryMb ?? 0] as const)
  return Object.fromEntries(usages.filter(([, memoryMb]) => memoryMb > 0))
}

/** The same from the instances that are bound there. */
function bound(instances: readonly Instance[]): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (const { host, flavor } of instances.flatMap(bookingsOf)) {
    sums[host] = (sums[host] ?? 0) + flavor.memoryMb
  }
  return sums
}
