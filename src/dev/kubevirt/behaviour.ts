import type { KubeObject } from '../../kube/resource.ts'

/**
 * How guests behave, set with kubectl: on a Node for all guests there
 * (`kubectl annotate node node-2 dev.kilonova/guests=never-boots`), on a VM or VMI for that guest. Several
 * words are separated by commas. `poweroff` and `crash` happen at once and count on a VMI only.
 */
export const GUEST_ANNOTATION = 'dev.kilonova/guest'
export const NODE_GUESTS_ANNOTATION = 'dev.kilonova/guests'

/** On a VMI: how often the guest rebooted itself. The stand-in's own note: of a real guest nobody is told. */
export const REBOOTS_ANNOTATION = 'dev.kilonova/reboots'

export type GuestWord =
  | 'stubborn'
  | 'never-boots'
  | 'crashes-at-boot'
  | 'unschedulable'
  | 'image-pull-error'
  | 'poweroff'
  | 'crash'
  | 'migration-fails'
  | 'migration-hangs'
  | 'snapshot-fails'
  | 'pause-fails'
  | 'reboot-fails'
  | `slow-boot=${string}`

export interface Behaviour {
  /** Pays no heed to being asked to shut down or to reboot. */
  readonly isStubborn: boolean
  readonly boot: 'normal' | 'never' | 'crash'
  readonly extraBootMs: number
  readonly isUnschedulable: boolean
  readonly hasImagePullError: boolean
  /** virt-handler fails to pause it, or to ask it to reboot. */
  readonly isPauseFailing: boolean
  readonly isRebootFailing: boolean
  /** What becomes of a live migration of it. */
  readonly migration: 'normal' | 'fail' | 'hang'
  readonly isSnapshotFailing: boolean
  /** What the guest does of itself, now. */
  readonly act: 'poweroff' | 'crash' | undefined
}

/** What the objects that say something of a guest add up to. */
export function behaviourOf(objects: {
  readonly vm?: KubeObject | undefined
  readonly vmi?: KubeObject | undefined
  readonly node?: KubeObject | undefined
}): Behaviour {
  const own = wordsOf(objects.vmi, GUEST_ANNOTATION)
  const words = new Set([
    ...own,
    ...wordsOf(objects.vm, GUEST_ANNOTATION),
    ...wordsOf(objects.node, NODE_GUESTS_ANNOTATION),
  ])
  const slow = [...words].find((word) => word.startsWith('slow-boot='))
  return {
    isStubborn: words.has('stubborn'),
    boot: words.has('never-boots') ? 'never' : words.has('crashes-at-boot') ? 'crash' : 'normal',
    extraBootMs: slow === undefined ? 0 : secondsOf(slow) * 1000,
    isUnschedulable: words.has('unschedulable'),
    hasImagePullError: words.has('image-pull-error'),
    isPauseFailing: words.has('pause-fails'),
    isRebootFailing: words.has('reboot-fails'),
    migration: words.has('migration-fails') ? 'fail' : words.has('migration-hangs') ? 'hang' : 'normal',
    isSnapshotFailing: words.has('snapshot-fails'),
    act: own.includes('poweroff') ? 'poweroff' : own.includes('crash') ? 'crash' : undefined,
  }
}

function wordsOf(object: KubeObject | undefined, annotation: string): readonly string[] {
  return (object?.metadata.annotations?.[annotation] ?? '').split(',').map((word) => word.trim())
}

/** `slow-boot=30s` and `slow-boot=30` are 30 seconds. */
function secondsOf(word: string): number {
  const seconds = Number.parseFloat(word.slice(word.indexOf('=') + 1))
  return Number.isFinite(seconds) ? seconds : 0
}
