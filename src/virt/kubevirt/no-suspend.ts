/** Why KubeVirt's guests are not suspended, and what to do instead: docs/adr/0008-suspend.md. */
export const NO_SUSPEND =
  'KubeVirt cannot save the memory of a guest so that it goes on later; pause the instance to keep its memory, or stop it to free its host'
