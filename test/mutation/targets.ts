/** What is mutated, and the tests that must notice. */
export interface Target {
  name: string;
  files: readonly string[];
  tests: readonly string[];
}

export const TARGETS: readonly Target[] = [
  {
    name: 'frame codec',
    files: ['src/worker/frame-codec.ts'],
    tests: ['test/worker/frame-codec.test.ts'],
  },
  {
    name: 'PEP 440',
    files: ['src/package/pep440.ts'],
    tests: ['test/package/pep440.test.ts'],
  },
  {
    name: 'PEP 508',
    files: ['src/package/pep508.ts'],
    tests: ['test/package/pep508.test.ts'],
  },
  {
    name: 'tags',
    files: ['src/python/interpreters/tags.ts', 'src/package/wheel-name.ts'],
    tests: ['test/package/wheel-name.test.ts', 'test/python/tags.test.ts'],
  },
  {
    name: 'circuit',
    files: ['src/supervisor/pool/restart-policy.ts'],
    tests: ['test/supervisor/restart-policy.test.ts'],
  },
  {
    name: 'canary',
    files: ['src/supervisor/switching/probation.ts', 'src/supervisor/switching/sequential-test.ts'],
    tests: ['test/supervisor/probation.test.ts', 'test/supervisor/sequential-test.test.ts'],
  },
  {
    name: 'ways back',
    files: ['src/supervisor/switching/canaries.ts'],
    tests: ['test/supervisor/canary-verdicts.test.ts', 'test/supervisor/canary-time.test.ts'],
  },
  {
    name: 'pool maintenance',
    files: ['src/supervisor/pool/pool-upkeep.ts'],
    tests: ['test/supervisor/pool-upkeep.test.ts'],
  },
  {
    name: 'quarantine',
    files: ['src/registry/barring.ts'],
    tests: ['test/registry/barring.test.ts'],
  },
  {
    name: 'discovery',
    files: ['src/deploy/discovery/discovery.ts'],
    tests: ['test/deploy/discovery.test.ts', 'test/deploy/scan.test.ts'],
  },
  {
    name: 'failure labels',
    files: ['src/deploy/failure.ts'],
    tests: ['test/deploy/failure.test.ts'],
  },
  {
    name: 'observers of calls',
    files: ['src/supervisor/calls/watch.ts'],
    tests: ['test/supervisor/watch.test.ts'],
  },
];
