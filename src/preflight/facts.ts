import type { ServerVersion } from '../kube/server-version.ts'

/** A look at something: what was seen, or why it could not be seen. */
export type Look<T> =
  | { readonly kind: 'seen'; readonly value: T }
  /** The API server does not know of such a thing. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly reason: string }

export interface NodeFacts {
  readonly name: string
  /** virt-handler says that it can run guests there. */
  readonly schedulable: boolean
  /** The kernel has KVM, and KubeVirt's device plugin offers it. */
  readonly kvm: boolean
}

export interface KubeVirtFacts {
  readonly name: string
  readonly phase: string
  readonly version: string | undefined
  /** Guests are run in software where there is no KVM. */
  readonly useEmulation: boolean
}

export interface PolicyFacts {
  /** Names of the ValidatingAdmissionPolicies that bear Kilonova's label and are bound. */
  readonly validating: readonly string[]
  /** The same of MutatingAdmissionPolicies. */
  readonly mutating: Look<readonly string[]>
}

/** How a definition of ours is there. `differs`: it is not the one this build knows, nor one that holds all of it. */
export type DefinitionState = 'served' | 'not served yet' | 'differs' | 'missing'

/** All that `kilonova check` looks at in a cluster that answers. */
export interface ClusterFacts {
  readonly definitions: Look<readonly { readonly kind: string; readonly state: DefinitionState }[]>
  /** Whether KubeVirt's kinds that an agent works with are served. */
  readonly kubevirtKinds: Look<readonly string[]>
  readonly kubevirt: Look<readonly KubeVirtFacts[]>
  readonly nodes: Look<readonly NodeFacts[]>
  /** Compute nodes by name: whether their agent is up. */
  readonly computeNodes: Look<readonly { readonly name: string; readonly isUp: boolean }[]>
  readonly flavors: Look<number>
  readonly images: Look<number>
  readonly policies: Look<PolicyFacts>
}

export interface Facts {
  readonly kubernetes:
    | { readonly kind: 'answers'; readonly version: ServerVersion; readonly cluster: ClusterFacts }
    | { readonly kind: 'silent'; readonly reason: string }
  /** Whether a message went round the broker, in how many milliseconds. */
  readonly messaging:
    | { readonly kind: 'works'; readonly tookMs: number }
    | { readonly kind: 'fails'; readonly reason: string }
}
