import { type OperationOptions } from '../../abort.js';
import {
  abortSignal,
  Door,
  duration,
  group,
  instance,
  lazily,
  must,
  name,
  option,
  strings,
  whole,
} from '../../options.js';
import type { VersionRef } from '../../package/types.js';
import type { Runner } from '../../runner/runner.js';
import { isTraceparent, TRACEPARENT_RULE } from '../../supervisor/calls/traceparent.js';
import type { PictureOfferOptions } from './offer.js';

/** What {@link serveInspections} takes. */
export interface ServeInspectionsOptions {
  plant: string;
  /** Name of the station. */
  station: string;
  /** What inspects. It stays the caller's. */
  runner: Runner;
  /** Largest picture that is fetched. @defaultValue 64 MiB */
  maxPictureBytes?: number;
  /** Hosts that pictures are fetched from. @defaultValue any that a call names */
  pictureHosts?: string[];
}

/** What {@link openInspector} takes. */
export interface InspectorOptions {
  plant: string;
  /** Where large pictures are offered to stations. Without it a picture above the limit of the server needs a `url` of its own. */
  offer?: PictureOfferOptions;
}

/** Options of {@link RemoteInspector.inspect}. */
export interface RemoteInspectOptions extends OperationOptions {
  /** Step that is called. @defaultValue the first that the version declares, else 1 */
  stepIndex?: number;
  /** Parameters of the step, by key. */
  userParams?: Record<string, unknown>;
  /** Goes to this version. @defaultValue the version that serves the product id on the station that answers */
  target?: VersionRef;
  /** For everything: the way there, fetching the picture, the inspection. @defaultValue 10000 */
  timeoutMs?: number;
  /** The trace that the call belongs to: `traceparent` of W3C Trace Context. @defaultValue none */
  traceparent?: string;
}

export const doors = /* @__PURE__ */ lazily(() => ({
  serve: new Door<ServeInspectionsOptions>('serveInspections(connection, options)', {
    plant: name(),
    station: name(),
    runner: must(instance<Runner>('a Runner (await openRunner(root))', 'inspect', 'close')),
    maxPictureBytes: whole(1),
    pictureHosts: strings(),
  }),
  open: new Door<InspectorOptions>('openInspector(connection, options)', {
    plant: name(),
    offer: group<PictureOfferOptions>({ host: name(), port: whole(0, 65_535) }),
  }),
  inspect: new Door<RemoteInspectOptions>('inspector.inspect(productId, picture, options)', {
    stepIndex: whole(0),
    userParams: option(
      'record',
      'must be an object',
      (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    ),
    target: group<VersionRef>({ name: name(), version: name() }),
    timeoutMs: duration(1),
    traceparent: option('traceparent', TRACEPARENT_RULE, isTraceparent),
    signal: abortSignal(),
  }),
}));
