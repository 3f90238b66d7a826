import { defineResource, type KubeObject } from '../kube/resource.ts'

/** What the API server knows of a token. It is asked by a create, and nothing is kept of it. */
export interface TokenReview extends KubeObject {
  readonly spec: { readonly token: string; readonly audiences: readonly string[] }
  readonly status?: TokenReviewStatus
}

export interface TokenReviewStatus {
  readonly authenticated?: boolean
  readonly error?: string
  /** Those of the asked audiences that the token is meant for. */
  readonly audiences?: readonly string[]
  readonly user?: {
    readonly username?: string
    readonly extra?: Readonly<Record<string, readonly string[]>>
  }
}

export const TOKEN_REVIEW = defineResource<TokenReview>({
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenReview',
  plural: 'tokenreviews',
  namespaced: false,
})
