import type { Deployer } from '../deploy/deployer.js';
import type { FramePool } from '../frames/frame-pool.js';
import type { VenvManager } from '../python/venv-manager.js';
import type { Delivery } from '../outbox/delivery/delivery.js';
import type { Registry } from '../registry/registry.js';
import type { AlgorithmSupervisor } from '../supervisor/algorithm-supervisor.js';
import type { RunnerMetrics } from '../telemetry/runner-metrics.js';
import type { PackageValidator } from '../validation/package-validator.js';
import type { ContentDoor } from './content/served.js';
import type { FleetDesk, FleetLook } from './fleet/fleet-look.js';
import type { Admission } from './inspections/admission.js';
import type { KeptAnswers } from './inspections/idempotency.js';
import type { Thumbnails } from './inspections/thumbnails.js';
import type { Examinations } from './operations/examinations.js';
import type { EventFeed } from './operations/event-feed.js';
import type { BodyPace } from './timed-body.js';

/** What a request asks for; `authorize` decides by it. */
export type RunnerAction =
  | 'list'
  | 'describe'
  | 'install'
  | 'activate'
  | 'deactivate'
  | 'switch'
  | 'validate'
  | 'uninstall'
  | 'inspect'
  | 'health'
  | 'status'
  | 'events'
  | 'logs'
  | 'metrics'
  | 'start'
  | 'stop'
  | 'reset'
  | 'configure'
  | 'rollback'
  | 'verify'
  | 'prune'
  | 'recover'
  | 'remove'
  | 'doctor'
  | 'fix'
  | 'picture'
  | 'content'
  | 'fleet'
  | 'halt'
  | 'approve'
  | 'back'
  | 'outbox'
  | 'deliver'
  | 'export';

/** What `authorize` may answer besides yes and no. */
export interface Authorization {
  /** Whether it may be done. */
  allowed: boolean;
  /** When not allowed: 401 asks the caller to say who it is. @defaultValue 401 with a `challenge`, else 403 */
  status?: 401 | 403;
  /** `WWW-Authenticate` of a 401, such as `Bearer realm="station"`. @defaultValue `Bearer` */
  challenge?: string;
  /** Who the caller is, for registry and audit log. It replaces an `operator` that the request names itself. */
  operator?: string;
}

/** What {@link createRunnerHandler} composes. */
export interface RunnerHandlerOptions {
  /** The store that is served. */
  registry: Registry;
  /** Installs and uninstalls. */
  deployer: Deployer;
  /** Answers `validate`, which without it is 501. */
  validator?: PackageValidator;
  /**
   * Answers inspections, and all that is about workers: without it these endpoints are 501. With it, `switch` warms the new
   * version and drains the old one; without, it only remaps.
   */
  supervisor?: AlgorithmSupervisor;
  /** The environments of the deployer: `GET /doctor` asks the interpreters that they are made from. @defaultValue those of the machine */
  venvs?: VenvManager;
  /** The pool of the supervisor, for the metrics of its memory. @defaultValue not measured */
  frames?: FramePool;
  /**
   * Answers `/fleet`, which without it is 501, and has the page show the plant: a `FleetOperator` of `procvision-runner/fleet`. With public keys
   * alone it can only look. The fleet is among the metrics.
   */
  fleet?: FleetDesk;
  /**
   * Answers `/outbox`, which without it is 501: what `deliver()` of `procvision-runner/outbox` gives. Its depth and failures are among the
   * metrics.
   */
  delivery?: Delivery;
  /**
   * Asked for every request that has an endpoint, before anything of its body is read. `request` is the whole request:
   * its headers tell who asks. A request that could be read in two ways is refused before. An answer that is an object
   * may ask for 401 with a challenge, and tell who the caller is. @defaultValue only GET (and HEAD) is allowed
   */
  authorize?: (
    request: Request,
    action: RunnerAction,
  ) => boolean | Authorization | Promise<boolean | Authorization>;
  /**
   * Allows everything to everyone when there is no `authorize`. A browser on the same machine is everyone: any page may
   * post a form to a server it can reach. @defaultValue false
   */
  allowUnauthenticated?: boolean;
  /** Largest package taken as an upload. @defaultValue 8 GiB */
  maxUploadBytes?: number;
  /** Largest body of an inspection, in bytes; a larger one is 413. @defaultValue 64 MiB */
  maxImageBytes?: number;
  /**
   * Bytes of all bodies of inspections that are held at once. One more is 429 with `Retry-After`, before it is read.
   * @defaultValue 512 MiB
   */
  maxBufferedBytes?: number;
  /** Inspections that are under way at once, those that wait for a worker included; one more is 429. @defaultValue 256 */
  maxInspections?: number;
  /**
   * Longest time without a byte of any body, JSON and multipart too, in milliseconds; then 408.
   * @defaultValue the deployer's `uploadIdleMs`, 60_000
   */
  uploadIdleMs?: number;
  /**
   * Bytes a second that a body must bring on average once `uploadIdleMs` was spent waiting for it; then 408. 0 takes any.
   * @defaultValue 512
   */
  leastUploadBytesPerSecond?: number;
  /**
   * Takes every failure that is answered as a problem document, whole: the document names paths relative to the store
   * and leaves out what is unforeseen. What it throws is left out.
   */
  onError?: (error: unknown, request: Request) => void;
  /**
   * Path the endpoints stand under, for example `/api`. Where Express mounts `toNodeListener` by `app.use('/api', …)` it is known
   * without. @defaultValue ''
   */
  basePath?: string;
  /**
   * Also serves the page for people, at `/` and `/page/…`, as `procvision-runner serve` does. Its files hold nothing of the station, and
   * `authorize` is not asked for them; all that it shows it asks the endpoints for. In a bundle it needs the files of `assets`.
   * @defaultValue false
   */
  page?: boolean;
  /**
   * Pictures of the last inspections that are kept small, for the history of the page and `GET /thumbnails/…`: at most 128 × 96 pixels and
   * 37 kB each, at most twenty of a second. None of a picture that the package decodes itself.
   * @defaultValue 200 with `page`, else 0
   */
  thumbnails?: number;
  /**
   * Gives packages that the store has whole to other stations, by content, below `/content/`: see `PackageFetcher` of
   * `procvision-runner/fleet`. `authorize` is asked for the action `content`. Without it these endpoints are 501.
   * @defaultValue false
   */
  content?: boolean;
}

/** What an endpoint can answer with when all goes well. */
export type AnswerType =
  | 'application/json'
  | 'text/event-stream'
  | 'application/octet-stream'
  | 'text/plain'
  | 'application/openmetrics-text'
  | 'image/png';

/** One request on its way to its endpoint. */
export interface Call {
  request: Request;
  url: URL;
  /** What the client would rather have, of what the endpoint offers. */
  answerType: AnswerType | undefined;
  /** Named parts of the path, decoded. */
  params: Record<string, string>;
  /** The operator, where `authorize` named one. */
  operator: string | undefined;
  options: ResolvedOptions;
  /** What stands before the endpoint's path: the option, and where a framework has mounted the handler. */
  basePath: string;
}

/** The options, defaults filled in, and what all requests of a handler share. */
export type ResolvedOptions = RunnerHandlerOptions &
  Required<Pick<RunnerHandlerOptions, 'maxUploadBytes' | 'maxImageBytes' | 'basePath'>> & {
    pace: BodyPace;
    /** Who may come in with a picture. */
    admission: Admission;
    /** Answers to inspections that were asked with a key. */
    answers: KeptAnswers;
    /** Counts from the moment at which the handler is made. */
    metrics: RunnerMetrics;
    /** Events of all emitters. */
    feed: EventFeed;
    /** Small pictures of the last inspections. */
    pictures: Thumbnails;
    /** What is given to other stations; undefined where nothing is. */
    contents: ContentDoor | undefined;
    /** Looks at the fleet, where there is one. */
    fleetLook: FleetLook | undefined;
    /** Looks of the doctor. */
    examinations: Examinations;
  };
