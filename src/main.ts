#!/usr/bin/env -S node --max-semi-space-size=4
// Left to itself, V8 lets the space for young objects grow to 32 MB: a busy conductor then has 240 MB and not 150.
import { type Commands, runCommandLine } from './cmd/command-line.ts'
import { API_OPTIONS } from './conf/api.ts'
import { CATALOGUE_OPTIONS } from './conf/catalogue.ts'
import { CHECK_OPTIONS } from './conf/check.ts'
import { COMPUTE_OPTIONS } from './conf/compute.ts'
import { CONDUCTOR_OPTIONS } from './conf/conductor.ts'
import { env } from './conf/env.ts'
import { NATS_AUTH_OPTIONS } from './conf/nats-auth.ts'
import { NATS_KEYS_OPTIONS } from './conf/nats-keys.ts'
import { NATS_RELOAD_OPTIONS } from './conf/nats-reload.ts'
import { EXPLAIN_OPTIONS, SCHEDULE_OPTIONS } from './conf/placement.ts'
import { SCHEDULER_OPTIONS } from './conf/scheduler.ts'

// What is in the image: the build follows these imports and no others, so nothing for trying and testing gets in.
// Each command loads only what it needs.
const COMMANDS: Commands = {
  api: {
    help: 'nova-api: watches Instances and has done what they ask',
    options: API_OPTIONS,
    run: async (argv) => (await import('./cmd/run-service.ts')).runApi(argv, env()),
  },
  scheduler: {
    help: 'nova-scheduler: chooses hosts',
    options: SCHEDULER_OPTIONS,
    run: async (argv) => (await import('./cmd/run-service.ts')).runScheduler(argv, env()),
  },
  conductor: {
    help: 'nova-conductor: reads and writes state for the compute agents',
    options: CONDUCTOR_OPTIONS,
    run: async (argv) => (await import('./cmd/run-service.ts')).runConductor(argv, env()),
  },
  compute: {
    help: 'nova-compute: the agent of one host',
    options: COMPUTE_OPTIONS,
    run: async (argv) => (await import('./cmd/run-service.ts')).runCompute(argv, env()),
  },
  'nats-auth': {
    help: 'tells the message broker who a client is, from its Kubernetes token',
    options: NATS_AUTH_OPTIONS,
    run: async (argv) => (await import('./cmd/nats-auth.ts')).runNatsAuth(argv, env()),
  },
  'nats-keys': {
    help: 'makes the keys and certificates of the message broker, where they are missing or old',
    options: NATS_KEYS_OPTIONS,
    run: async (argv) => (await import('./cmd/nats-keys.ts')).runNatsKeys(argv, env()),
  },
  'nats-reload': {
    help: 'beside a server of the message broker: has it take renewed certificates',
    options: NATS_RELOAD_OPTIONS,
    run: async (argv) => (await import('./cmd/nats-reload.ts')).runNatsReload(argv, env()),
  },
  check: {
    help: 'says what Kilonova needs in a cluster, what of it is missing, and how to get it',
    options: CHECK_OPTIONS,
    run: async (argv) => (await import('./cmd/check.ts')).runCheck(argv, env()),
  },
  schedule: {
    help: 'with --dry-run, says where an instance would go and why, and does nothing',
    options: SCHEDULE_OPTIONS,
    run: async (argv) => (await import('./cmd/schedule.ts')).runSchedule(argv, env()),
  },
  explain: {
    help: 'says why an instance is where it is: kilonova explain instance NAME',
    options: EXPLAIN_OPTIONS,
    run: async (argv) => (await import('./cmd/schedule.ts')).runExplain(argv, env()),
  },
  catalogue: {
    help: 'makes the classic flavors and a small image, where they are missing',
    options: CATALOGUE_OPTIONS,
    run: async (argv) => (await import('./cmd/catalogue.ts')).runCatalogue(argv, env()),
  },
}

await runCommandLine(COMMANDS, process.argv.slice(2))
