const files = (room: string, names: string) => names.split(' ').map((name) => `${room}/${name}.test.ts`);

/**
 * Test files that run in one process after the other, with the modules of the library loaded once: small ones, that leave no
 * state in the process (variables, signals, clocks, settings of modules). Each still has a temporary folder of its own, and
 * fails by what it leaves behind. A file that is not listed has a process of its own.
 */
export const SHARED_TESTS = [
  ...files('test/acceptance', 'marks'),
  ...files('test', 'api-conventions api-reports architecture exercise old-words'),
  ...files('test/bench', 'aside report'),
  ...files('test/cli', 'command-names completion fleet kept-files'),
  ...files(
    'test/deploy',
    'archives failure full-disk install looks odd-places rebuild side-by-side space use-in-time verify whose-fault',
  ),
  ...files('test/fleet/agent', 'event-log journal late-answers refused-words window'),
  ...files('test/fleet/bytes', 'content-manifest'),
  ...files('test/fleet/controller', 'controller decide gates late-answers order'),
  ...files('test/fleet', 'keys'),
  ...files('test/fleet/nats', 'hostile-station permissions'),
  ...files('test/fleet/state', 'signing'),
  ...files('test/frames', 'encoded-formats frame-folder frame-pool handed-on jpeg-scan pixel-input'),
  ...files(
    'test/ground',
    'arguments both-names emitter errors given-options options property-seed readable redact-paths',
  ),
  ...files(
    'test/http',
    'asked-before-sent bodies-in-time described-bodies doctor early-refusals fleet frameworks hostile-requests metrics mounts multipart-parts negotiate node-listener one-meaning outbox page raw-sockets thumbnails words',
  ),
  ...files('test/outbox', 'bad-input failed-writes merkle outbox'),
  ...files('test/outbox/delivery', 'folder nats-stream platform s3-bucket standing uplink'),
  ...files(
    'test/package',
    'archive-basics archive-behaviour binaries entry-points honest-writers names odd-archives pack-project pep440 pep508 remedies requirements shared-file wheel-metadata wheel-name wheel-places zstandard',
  ),
  ...files('test/parameters', 'match-in-time pattern-choices step-rules'),
  ...files(
    'test/process',
    'base-interpreter environment identity pipe-write priority run stages tree windows-calls',
  ),
  ...files(
    'test/python',
    'choice-like-pip libraries link-windows other-platforms record-rows relative-scripts remedy remembered-environment store-helper system-refusal tags time-limit turns',
  ),
  ...files('test/registry', 'barring file-look guides read-copies registry shared uses'),
  ...files('test/released', 'released'),
  ...files('test/runner', 'explain runner'),
  ...files('test/store', 'audit-log held-files layout lock-healing lock-signals lock'),
  ...files(
    'test/supervisor',
    'bundled-sessions call-line canary-time canary-versions comparison devices execute-many-waits fatal-exceptions few-descriptors group-stop guides hanging-pictures main-path mark-of-use one-event other-user pipelining poison probation recording-folder restart-policy result-contract return-images sealed-pictures sequential-rollouts sequential-test shapes spread start-and-stop version-policy watch worker-launcher worker-logs worker-pool',
  ),
  ...files('test/telemetry', 'instrument'),
  ...files('test/testing', 'builders file-steps puppet temporary-store virtual-clock'),
  ...files('test/validation', 'integrity near-misses startup-code words'),
  ...files(
    'test/worker',
    'algorithm-worker bundled-streams described-exception frame-codec kept-pictures messages parts-and-places pending-call root-causes worker-command worker-failures worker-stop',
  ),
];
