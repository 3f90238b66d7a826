import { LOG_OPTIONS, SERVICE_OPTIONS } from './common.ts'

/** What `kilonova catalogue` takes: it talks to the Kubernetes API alone. */
export const CATALOGUE_OPTIONS = { ...LOG_OPTIONS, kubeconfig: SERVICE_OPTIONS.kubeconfig }
