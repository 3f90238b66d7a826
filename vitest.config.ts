import { defineConfig } from 'vitest/config'

/** What runs on real parts and is about how Kilonova is installed: the chart, its rights, its NATS, the image. */
const INSTALL = ['chart', 'check', 'drain', 'e2e', 'nats', 'packed', 'rights', 'rpc-nats-tls'].map(
  (name) => `test/real/${name}*.test.ts`,
)
const onRealParts = {
  testTimeout: 120_000,
  hookTimeout: 120_000,
  // An API server notices a new policy when it does.
  expect: { poll: { timeout: 30_000 } },
  fileParallelism: false,
}

/**
 * unit: beside the source. scenarios: the embedded cluster. real: the same on kube-apiserver, etcd and nats-server.
 * install: on those too. e2e: see docs/e2e.md.
 */
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts', 'hack/**/*.test.ts'], testTimeout: 15_000 } },
      {
        test: {
          name: 'scenarios',
          include: ['test/scenarios/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // They wait more than they work.
          maxWorkers: 4,
        },
      },
      {
        test: { name: 'real', include: ['test/real/**/*.test.ts'], exclude: INSTALL, ...onRealParts },
      },
      { test: { name: 'install', include: INSTALL, ...onRealParts } },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          // Pods, images and emulated guests take their time.
          testTimeout: 900_000,
          hookTimeout: 900_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
