import type { ComputeSettings } from '../conf/compute.ts'
import type { DriverSettings } from '../conf/driver.ts'
import type { GuestAssignment } from '../virt/guest-assignment.ts'
import { FakeGuestAssignment } from '../virt/fake/assignment.ts'
import { FakeSnapshotOwnership } from '../virt/fake/snapshot-ownership.ts'
import { KubeVirtGuestAssignment } from '../virt/kubevirt/assignment.ts'
import type { ComputeDriver } from '../virt/driver.ts'
import { FakeDriver } from '../virt/fake/driver.ts'
import { FakeHypervisor } from '../virt/fake/hypervisor.ts'
import { KubeVirtDriver } from '../virt/kubevirt/driver.ts'
import { KubeVirtSnapshotOwnership } from '../virt/kubevirt/snapshot-ownership.ts'
import type { SnapshotOwnership } from '../virt/snapshot-ownership.ts'
import type { ServiceDeps } from './service.ts'

/** The fake host is as large as Nova's. */
const FAKE_RESOURCES = {
  vcpus: 1000,
  memoryMb: 800_000,
  diskGb: 600_000,
  hypervisorType: 'fake',
  architecture: 'x86_64',
}

/** The driver of a compute agent. Agents in one process may share the fake hypervisor: guests then move between them. */
export function openDriver(
  deps: Pick<ServiceDeps, 'client' | 'clock' | 'log'> & { readonly hypervisor?: FakeHypervisor },
  settings: Pick<ComputeSettings, 'computeDriver' | 'host' | 'spawnTimeout'>,
): ComputeDriver {
  switch (settings.computeDriver) {
    case 'kubevirt':
      return new KubeVirtDriver(deps, { host: settings.host, spawnTimeoutMs: settings.spawnTimeout })
    case 'fake': {
      const { hypervisor = new FakeHypervisor() } = deps
      return new FakeDriver({ ...deps, hypervisor }, { host: settings.host, resources: FAKE_RESOURCES })
    }
  }
}

/** Says whose a guest is, for the conductor. */
export function openGuestAssignment(
  deps: Pick<ServiceDeps, 'client' | 'clock' | 'log'>,
  { computeDriver }: DriverSettings,
): GuestAssignment {
  switch (computeDriver) {
    case 'kubevirt':
      return new KubeVirtGuestAssignment(deps)
    case 'fake':
      return new FakeGuestAssignment()
  }
}

/** Says what a snapshot is kept for, for the conductor. */
export function openSnapshotOwnership(
  deps: Pick<ServiceDeps, 'client' | 'clock' | 'log'>,
  { computeDriver }: DriverSettings,
): SnapshotOwnership {
  switch (computeDriver) {
    case 'kubevirt':
      return new KubeVirtSnapshotOwnership(deps)
    case 'fake':
      return new FakeSnapshotOwnership()
  }
}
