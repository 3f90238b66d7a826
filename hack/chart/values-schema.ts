import { API_OPTIONS } from '../../src/conf/api.ts'
import { LEVELS } from '../../src/conf/common.ts'
import { COMPUTE_OPTIONS } from '../../src/conf/compute.ts'
import { CONDUCTOR_OPTIONS } from '../../src/conf/conductor.ts'
import { NATS_AUTH_OPTIONS } from '../../src/conf/nats-auth.ts'
import { SCHEDULER_OPTIONS } from '../../src/conf/scheduler.ts'
import {
  choice,
  flag,
  kubernetes,
  listOf,
  mapOf,
  object,
  type Schema,
  text,
  wholeNumber,
} from './json-schema.ts'
import { optionsSchema } from './option-schema.ts'

const NAME = '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$'
const CRON = '^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[^@ ]+( [^ ]+){4})$'
const PERCENT_OR_NUMBER = '^[0-9]+%$'

const image = (own: string): Readonly<Record<string, Schema>> => ({
  repository: { ...text('Where the image is.'), minLength: 1 },
  tag: text(own),
  digest: text('Digest (`sha256:…`), which goes before the tag.'),
  pullPolicy: choice('When the image is pulled.', ['Always', 'IfNotPresent', 'Never']),
})

const placement: Readonly<Record<string, Schema>> = {
  affinity: kubernetes('object', 'Affinity. By default replicas prefer nodes that run no other one.'),
  nodeSelector: mapOf({ type: 'string' }, 'Labels a node must have.'),
  tolerations: kubernetes('array', 'Taints that are tolerated.'),
  priorityClassName: text('PriorityClass.', NAME),
  podAnnotations: mapOf({ type: 'string' }, 'Annotations of the Pods.'),
  podLabels: mapOf({ type: 'string' }, 'Labels of the Pods.'),
}

const resources = kubernetes('object', 'Requests and limits.')

const replicated: Readonly<Record<string, Schema>> = {
  podDisruptionBudget: object('PodDisruptionBudget.', {
    enabled: flag('Make one.'),
    maxUnavailable: {
      type: ['integer', 'string'],
      description: 'How many may be away, as a number or per cent.',
      minimum: 1,
      pattern: PERCENT_OR_NUMBER,
    },
  }),
  topologySpreadConstraints: kubernetes(
    'array',
    "How Pods are spread. One without a labelSelector gets the service's own.",
  ),
}

const service: Readonly<Record<string, Schema>> = {
  resources,
  ...placement,
  extraEnv: kubernetes('array', 'More environment variables, as in a container.'),
  terminationGracePeriodSeconds: wholeNumber(
    'How long a Pod gets to finish or hand back what it works on.',
    1,
  ),
}

const replicas = wholeNumber('How many Pods. One of them leads where a leader is needed.', 0)

const deployment = (options: Schema): Readonly<Record<string, Schema>> => ({
  replicas,
  options,
  ...service,
  ...replicated,
})

/** The whole of values.schema.json: a wrong or an unknown value is refused before anything is installed. */
export const VALUES_SCHEMA: Schema = object("Values of Kilonova's chart.", {
  global: kubernetes('object', 'Used by Helm where the chart is part of another one; not read.'),
  nameOverride: text('Instead of the name of the chart in names and labels.', NAME),
  fullnameOverride: text('Instead of the release in the names of objects.', NAME),
  commonLabels: mapOf({ type: 'string' }, 'Labels of every object, Pods included.'),
  image: object("Image of Kilonova's services.", image("Tag. Default: the chart's appVersion.")),
  imagePullSecrets: kubernetes('array', 'Secrets for private registries: `[{name: …}]`.'),
  logging: object('Logs of all services.', {
    format: choice('`text`: lines as oslo.log writes them; `json`: one object a line.', ['text', 'json']),
    level: choice('The least severe lines that are written.', LEVELS),
    levels: mapOf({ type: 'string', enum: LEVELS }, 'Levels of single loggers: `nova.rpc: debug`.'),
  }),
  crds: object('Definitions of the resources.', {
    enabled: flag('Install and upgrade them with the chart. They stay when the release is uninstalled.'),
  }),
  catalogue: object('Flavors and images to begin with.', {
    enabled: flag('Make m1.tiny to m1.xlarge and the image cirros at the install, where they are missing.'),
  }),
  messaging: object('The message broker.', {
    url: text('URL of an own NATS, with `nats.enabled: false`; several with commas.'),
    credsSecret: text('Secret with a NATS creds file (key `nats.creds`), for an own NATS.', NAME),
    clientCertSecret: text('Secret with a client certificate (`tls.crt`, `tls.key`), for an own NATS.', NAME),
    caConfigMap: text('ConfigMap with the authority (key `ca.crt`) of an own NATS.', NAME),
    tokenAudience: text(
      "Audience of the Kubernetes token that is shown to the broker. Default: `nats.kilonova.dev` for the chart's NATS, no token for an own one.",
    ),
    streamReplicas: {
      type: ['integer', 'null'],
      description:
        'Copies of the streams, where they are not there yet. Default: `nats.replicas`; 1 on an own NATS.',
      minimum: 1,
      maximum: 5,
    },
  }),
  podSecurityContext: kubernetes('object', "Security context of the Pods of Kilonova's services."),
  securityContext: kubernetes('object', 'Security context of all containers.'),
  api: object('nova-api.', deployment(optionsSchema('api', API_OPTIONS))),
  scheduler: object('nova-scheduler.', deployment(optionsSchema('scheduler', SCHEDULER_OPTIONS))),
  conductor: object('nova-conductor.', deployment(optionsSchema('conductor', CONDUCTOR_OPTIONS))),
  compute: object('nova-compute, the agent on each node.', {
    options: optionsSchema('compute', COMPUTE_OPTIONS),
    ...service,
    updateStrategy: kubernetes('object', 'How the agents are replaced at an upgrade.'),
  }),
  natsAuth: object(
    "The service that tells the chart's NATS who a client is.",
    deployment(optionsSchema('nats-auth', NATS_AUTH_OPTIONS)),
  ),
  jobs: object('What runs at an install or upgrade or regularly, and the Pod of `helm test`.', {
    resources,
    ...placement,
    activeDeadlineSeconds: wholeNumber('A Job that has not succeeded by then fails.', 1),
  }),
  nats: object("The chart's own NATS.", {
    enabled: flag('Off: bring an own NATS, see `messaging`.'),
    replicas: choice('1, 3 or 5 servers.', [1, 3, 5]),
    image: object('Image of nats-server.', image('Tag.')),
    storage: object('The disk of each server.', {
      size: text('Size.', '^[0-9]+(\\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$'),
      storageClassName: text("StorageClass. Default: the cluster's.", NAME),
    }),
    resources,
    renewal: object('The certificate of the servers.', {
      enabled: flag('Renew it regularly, and not at upgrades alone: a CronJob.'),
      schedule: text(
        'When to look, as in crontab. It is renewed when less than a third of its life is left.',
        CRON,
      ),
    }),
    reloader: object('Beside each server: has it take a renewed certificate.', { resources }),
    podSecurityContext: kubernetes('object', 'Security context of the Pods.'),
    ...replicated,
    ...placement,
    terminationGracePeriodSeconds: wholeNumber(
      'How long a server gets to move its clients to the others.',
      1,
    ),
  }),
  networkPolicy: object('NetworkPolicies.', {
    enabled: flag("Nothing reaches the services, and only they reach the chart's NATS."),
    natsClients: kubernetes('array', "More that may reach the chart's NATS, as peers of a NetworkPolicy."),
    metricsClients: kubernetes('array', "Who may read the services' metrics, as peers of a NetworkPolicy."),
  }),
  metrics: object('Metrics of the services, for Prometheus; see docs/metrics.md.', {
    serviceMonitor: object('ServiceMonitor of the Prometheus operator.', {
      enabled: flag('Make one. Its definition must be there.'),
      interval: text('How often the metrics are read.', '^[0-9]+(ms|s|m|h)$'),
      labels: mapOf({ type: 'string' }, 'What Prometheus selects ServiceMonitors by.'),
    }),
  }),
  rbac: object('Rights of the services.', {
    create: flag('Make ServiceAccounts, roles and bindings. Off: make them under the same names.'),
  }),
  policies: object('Admission policies; see docs/security.md.', {
    enabled: flag('Install them.'),
    systemNamespaces: listOf(
      { type: 'string' },
      "Namespaces in which no agent makes VMs. The release's own always is one.",
    ),
  }),
  aggregatedRoles: object('Roles for users; see docs/security.md.', {
    enabled: flag(
      "Make kilonova-view, -edit and -admin, which become part of Kubernetes' own, and kilonova-operator.",
    ),
    catalogueForAll: flag('Every authenticated user may read flavors and images.'),
    computeNodesForAll: flag('Every authenticated user may read the hosts.'),
  }),
})
