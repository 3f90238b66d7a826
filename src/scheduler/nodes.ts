import { defineResource, type KubeObject } from '../kube/resource.ts'

/** A Node, of which the scheduler reads the labels. */
export interface LabelledNode extends KubeObject {}

export const LABELLED_NODE = defineResource<LabelledNode>({
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  namespaced: false,
})

/** A Node is big, mostly by the images on it. */
export function trimNode({ apiVersion, kind, metadata }: LabelledNode): LabelledNode {
  const { name, uid, resourceVersion, labels, deletionTimestamp, finalizers } = metadata
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(labels && { labels }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
      ...(finalizers && { finalizers }),
    },
  }
}
