/** What there is to know of each operation beside its summary, by its id. */
export const DESCRIPTIONS: Readonly<Record<string, string>> = {
  describe: 'OpenAPI 3.1, with the path at which the handler is mounted as its server.',
  list: 'What the registry has, whether it serves a product id or not.',
  listActive: 'Product ids without a version are not in it.',
  activate: 'Product ids that another package serves are refused with 409: they are moved by `switch`.',
  deactivate:
    'Calls for these product ids are refused from then on; workers of the version are left running.',
  switch:
    'The new version is started and warm before anything is moved, and the old one finishes what it has. Answers when the product ids are served by the new version.',
  validate:
    'Every check, the trial run included; nothing is deployed. A bad package is a report with status 200.',
  get: 'As the registry has it. A package named `active` is not found here: `/algorithms/active/{productId}` is meant.',
  uninstall:
    'Refused with 409 while the version is active or runs, or a rollback would go back to it, unless `force` is given.',
  health: 'The same as `/health/ready`.',
  live: 'A process that answers is live: a restart would not help.',
  ready:
    'Ready when the store can be read and every active version has a worker that takes calls; the checks say why not.',
  status: 'State, queue, latency, memory and restarts of each version and of each of its workers.',
  metrics:
    'Counts begin when the handler is made. Each metric has at most 500 sets of labels; the rest is counted under `other`.',
  doctor:
    'Each finding has its cause and its remedy; docs/doctor.md has them all. Nothing is changed, and looks are made one after another.',
  fix: 'A fix gives nobody a right and removes no version. Each is recorded in the audit log; a client that goes away does not end it.',
  fleet:
    'What the bucket of the fleet says, at most a second old: which stations can be reached is said by the controller that acts.',
  haltFleet: 'Stations stay where they are. Without `rollout` every rollout is halted.',
  approveFleet: 'Only a wave that asks for approval, and has others behind it.',
  backFleet:
    'Neither a maintenance window nor a lock is waited for. A station that is away goes back when it returns.',
  outbox: 'Counts of the outbox are since it was made, those of its delivery since the host was started.',
  pauseOutbox: 'Over a restart too. What was under way is sent again later.',
  resumeOutbox: 'Answers at once: what waits goes out in its order.',
  retryOutbox: 'With `aside` what the platform refused goes back to its place, after its cause was mended.',
  exportOutbox:
    'Each file is whole and on its disk when this answers. Everything stays in the outbox too: a receiver takes each `ingest_id` once.',
  thumbnail:
    'Of the last inspections alone, as many as the host keeps. A picture that the package decodes itself has none.',
  contentIndex:
    'Packages whose every content is in `zips/` or deployed. A zip is read once, at the first request after it came.',
  contentManifest: 'The digest of the lines before the empty line is the digest of the package.',
  contentBlob:
    'Only content of a package that the index lists. At most 64 transfers at once; one more is 429.',
  logs: 'Of the workers of one package, or, without a name, of the audit logs of installs and activations.',
  rollback:
    'Without `to` the product id goes back to the version that served it before. Answers when that version serves it.',
  prune: 'The newest versions of each name stay, and whatever is active, runs, or is a way back.',
  recover: 'What dead processes left is finished or undone. Runs by itself before the first operation.',
  getActive: 'A product id that no version serves is 404.',
  getParams: 'Values that `setParams` has kept, not the defaults of the version.',
  setParams:
    'They replace what was kept, are checked against the schema of the version, and go with each call that does not bring its own.',
  start: 'A version that runs is given the number of workers that is asked for.',
  stop: 'Calls that wait are refused; the next call starts the version again unless its policy says otherwise.',
  reset:
    'With a session, each worker of the version forgets it; without, the circuit is closed and one worker is started.',
  verify: 'Hashes every file of the version; files that are missing, changed or added are named.',
  configure:
    'Kept in the store and in force at once; what is set up when a process starts, such as `limits` and `env`, at the next start.',
  packages: 'Files that are deployed already are among them.',
  removePackage: 'A version that was installed from the file stays.',
  server: 'Of the Open Inference Protocol, version 2.',
  serverLive: 'As `/health/live`.',
  serverReady: 'As `/health/ready`.',
  model: 'A product id is a model: its input `image`, its outputs `result` and `verdict`, and its versions.',
  modelVersion: 'The same for a version of its own, whether it serves the product id or not.',
  modelReady: 'Whether a worker of the version takes calls now.',
  modelReadyVersion: 'The same for a version of its own.',
  infer:
    'The tensor `image` is UINT8 of shape [height, width, channels], as JSON or, by the binary tensor extension, as bytes.',
  inferVersion: 'The same for a version of its own, whether it serves the product id or not.',
};
