import * as v from 'valibot';
import type { FramePool } from '../frames/frame-pool.js';
import { isRecord } from '../arguments.js';
import {
  callback,
  Door,
  duration,
  flag,
  instance,
  lazily,
  must,
  nearest,
  number,
  option,
  whole,
} from '../options.js';
import type { Registry } from '../registry/registry.js';
import type { Deployer } from '../deploy/deployer.js';
import type { VenvManager } from '../python/venv-manager.js';
import type { Delivery } from '../outbox/delivery/delivery.js';
import type { AlgorithmSupervisor } from '../supervisor/algorithm-supervisor.js';
import type { PackageValidator } from '../validation/package-validator.js';
import { RunnerMetrics } from '../telemetry/runner-metrics.js';
import { ContentDoor } from './content/served.js';
import { FleetLook, type FleetDesk } from './fleet/fleet-look.js';
import { Admission } from './inspections/admission.js';
import { KeptAnswers } from './inspections/idempotency.js';
import { Thumbnails } from './inspections/thumbnails.js';
import { Examinations } from './operations/examinations.js';
import { EventFeed } from './operations/event-feed.js';
import type { ResolvedOptions, RunnerHandlerOptions } from './types.js';

const MIB = 2 ** 20;
/** About 7 MB. */
const THUMBNAILS_OF_PAGE = 200;

const doors = /* @__PURE__ */ lazily(() => ({
  handler: new Door<RunnerHandlerOptions>(
    'createRunnerHandler({ registry, deployer, validator, supervisor })',
    {
      registry: must(instance<Registry>('a Registry (await Registry.open(root))', 'resolve', 'active')),
      deployer: must(instance<Deployer>('a Deployer', 'install', 'uninstall')),
      validator: instance<PackageValidator>('a PackageValidator', 'validate'),
      supervisor: instance<AlgorithmSupervisor>('an AlgorithmSupervisor', 'execute', 'status'),
      authorize: callback(),
      allowUnauthenticated: flag(),
      maxUploadBytes: option(
        'size',
        'must be a number of bytes above 0',
        (value) => typeof value === 'number' && value > 0,
      ),
      maxImageBytes: whole(1),
      maxBufferedBytes: whole(1),
      maxInspections: whole(1),
      uploadIdleMs: duration(1),
      leastUploadBytesPerSecond: number(0, Number.MAX_SAFE_INTEGER),
      onError: callback(),
      page: flag(),
      content: flag(),
      thumbnails: whole(0),
      basePath: option(
        'path',
        "must be '' or a path such as '/api'",
        (value) => typeof value === 'string' && /^(?:\/[\w\-.~!$&'()*+,;=:@%]+)*\/*$/.test(value),
      ),
      venvs: instance<VenvManager>('a VenvManager', 'interpreters'),
      frames: instance<FramePool>('a FramePool', 'lease'),
      fleet: instance<FleetDesk>('a FleetOperator', 'status', 'halt', 'approve', 'back'),
      delivery: instance<Delivery>('a Delivery (await deliver(outbox, settings))', 'pause', 'report'),
    },
  ),
}));

/**
 * What is checked of an object that was composed for more than this handler, such as a host's own station. A name that is
 * near to an option, with a value which that option takes, is a mistyped option and is refused. Any other is the host's.
 */
function withoutForeign(given: RunnerHandlerOptions): RunnerHandlerOptions {
  // A promise, a list or nothing at all is refused as what it is.
  if (!isRecord(given) || (given as unknown) instanceof Promise) return given;
  const { shape } = doors().handler;
  const known = Object.keys(shape) as (keyof typeof shape)[];
  const isOurs = ([name, value]: [string, unknown]) => {
    const near = nearest(name, known) as keyof typeof shape | undefined;
    return Object.hasOwn(shape, name) || (near !== undefined && v.is(shape[near], value));
  };
  return Object.fromEntries(Object.entries(given).filter(isOurs)) as unknown as RunnerHandlerOptions;
}

/** The options with their defaults. @throws RunnerError `invalid_params` naming the option */
export function resolveOptions(given: RunnerHandlerOptions): ResolvedOptions {
  doors().handler.check(withoutForeign(given));
  const {
    maxUploadBytes = 8 * 1024 * MIB,
    maxImageBytes = 64 * MIB,
    maxBufferedBytes = 512 * MIB,
    maxInspections = 256,
    uploadIdleMs = given.deployer.uploadIdleMs,
    leastUploadBytesPerSecond = 512,
    basePath = '',
    page = false,
    content = false,
    thumbnails = page ? THUMBNAILS_OF_PAGE : 0,
  } = given;
  const feed = new EventFeed(given);
  const pictures = new Thumbnails(thumbnails);
  // What happened before somebody opens the page is what he opens it for.
  if (page) feed.listen();
  pictures.watch(given.supervisor);
  return {
    ...given,
    ...{ maxUploadBytes, maxImageBytes },
    pace: { idleMs: uploadIdleMs, leastRate: leastUploadBytesPerSecond },
    basePath: basePath.replace(/\/+$/, ''),
    admission: new Admission({ maxInspections, maxBufferedBytes }),
    answers: new KeptAnswers(),
    metrics: new RunnerMetrics(given),
    ...{ feed, pictures },
    contents: content ? new ContentDoor(given.registry) : undefined,
    examinations: new Examinations(),
    fleetLook: given.fleet && new FleetLook(given.fleet),
  };
}
