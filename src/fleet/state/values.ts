import * as v from 'valibot';
import { lazily } from '../../options.js';
import { isSafeFolderName } from '../../store/file-names.js';
import type {
  BarState,
  CallFigures,
  DesiredState,
  GroupState,
  LeaseState,
  ReportedState,
  RolloutMark,
  RolloutState,
  SignedState,
} from '../state.js';
import { partsOf } from './refs.js';

/**
 * What the values of the bucket are. Unknown fields are kept: a newer controller may add some. Bounds keep a hostile value from
 * using up a station: lists and texts are counted before they are looked at.
 */

/** Longest text of a signed state. NATS takes 1 MB at most in one message, and the JSON around it needs room. */
export const MAX_BODY_CHARS = 512 * 1024;
const MAX_ITEMS = 10_000;
const MAX_NAME_CHARS = 1_000;
const MAX_TEXT_CHARS = 8_000;

const rev = v.pipe(v.number(), v.safeInteger('must be a whole number'), v.minValue(1, 'must be at least 1'));
const count = v.pipe(
  v.number(),
  v.safeInteger('must be a whole number'),
  v.minValue(0, 'must be at least 0'),
);
const figure = v.pipe(v.number(), v.finite('must be a number'), v.minValue(0, 'must be at least 0'));
const text = v.pipe(
  v.string(),
  v.maxLength(MAX_TEXT_CHARS, `must have at most ${MAX_TEXT_CHARS} characters`),
);
const name = v.pipe(
  v.string(),
  v.nonEmpty('must not be empty'),
  v.maxLength(MAX_NAME_CHARS, `must have at most ${MAX_NAME_CHARS} characters`),
  v.check((value) => Buffer.from(value).toString() === value, 'must be Unicode text'),
);
const folderName = v.pipe(name, v.check(isSafeFolderName, 'must be usable as a folder name'));
const version = v.pipe(
  folderName,
  v.check((value) => !value.includes('@'), 'must have no @'),
);
const ref = v.pipe(
  name,
  v.check((value) => partsOf(value) !== undefined, 'must be name@version'),
);
const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in lower-case hex'));
const clockTime = v.pipe(v.string(), v.regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'must be a time such as 22:00'));

const callFigures = v.looseObject({
  version: text,
  ...{ calls: count, ok: count, ng: count, errors: count },
  ...{ latency_p50_ms: figure, latency_p99_ms: figure },
}) as v.GenericSchema<CallFigures>;
const share = v.pipe(figure, v.maxValue(1, 'must be at most 1'));

function listOf<T extends v.GenericSchema>(item: T, most = MAX_ITEMS) {
  return v.pipe(v.array(v.unknown()), v.maxLength(most, `must have at most ${most} items`), v.array(item));
}

/**
 * An object as a map. Valibot's `record` leaves out `constructor` and `prototype`, which may be product ids; `__proto__` is refused,
 * because an assignment to it changes no field.
 */
function mapOf<T>(
  key: v.GenericSchema<string>,
  value: v.GenericSchema<T>,
): v.GenericSchema<Record<string, T>> {
  return v.pipe(
    v.custom<object>(
      (input) => typeof input === 'object' && input !== null && !Array.isArray(input),
      'must be an object',
    ),
    v.check((input) => Object.keys(input).length <= MAX_ITEMS, `must have at most ${MAX_ITEMS} fields`),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      for (const [field, inner] of Object.entries(dataset.value) as [string, unknown][]) {
        const fault = field === '__proto__' ? 'is no name' : (faultOf(key, field) ?? faultOf(value, inner));
        if (fault !== undefined) {
          addIssue({ message: `${JSON.stringify(field.slice(0, 80))} ${fault}` });
          return;
        }
      }
    }),
  ) as unknown as v.GenericSchema<Record<string, T>>;
}

/** The first fault of a value; `undefined` when it has none. */
export function faultOf(schema: v.GenericSchema, value: unknown): string | undefined {
  const { issues } = v.safeParse(schema, value, { abortEarly: true });
  const [issue] = issues ?? [];
  if (!issue) return undefined;
  const path = v.getDotPath(issue);
  const message = issue.received === 'undefined' ? 'is missing' : issue.message;
  return path === null ? message : `${path} ${message}`;
}

const mark = v.looseObject({
  rollout: name,
  number: count,
  how: v.picklist(['moved', 'kept', 'back']),
  before: v.optional(name),
  calls: v.optional(callFigures),
}) as v.GenericSchema<RolloutMark>;

const gates = v.looseObject({
  accepted_share: share,
  failed_share: share,
  errors: v.optional(
    v.looseObject({ acceptable_rate: share, rejectable_rate: share, alpha: share, beta: share }),
  ),
  max_drift: v.optional(share),
  max_latency_ratio: v.optional(figure),
  min_calls: count,
  soak_ms: figure,
  approval: v.boolean(),
  deadline_ms: v.optional(figure),
});

/** When a station may switch. */
export const maintenanceWindow = lazily(() => {
  const day = v.pipe(
    v.number(),
    v.integer('must be a whole number'),
    v.minValue(0, 'must be at least 0'),
    v.maxValue(6, 'must be at most 6'),
  );
  return v.looseObject({ from: clockTime, to: clockTime, days: v.optional(listOf(day, 7)) });
});

export const schemas = lazily(() => ({
  signed: v.looseObject({
    body: v.pipe(v.string(), v.maxLength(MAX_BODY_CHARS, `must have at most ${MAX_BODY_CHARS} characters`)),
    key: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, 'must be the identifier of a key')),
    signature: v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]{86}==$/, 'must be an Ed25519 signature in Base64')),
  }) satisfies v.GenericSchema<SignedState>,

  desired: v.pipe(
    v.looseObject({
      rev,
      plant: name,
      station: name,
      packages: mapOf(
        ref,
        v.looseObject({ digest, sources: v.optional(listOf(text, 100)) }) as v.GenericSchema<
          DesiredState['packages'][string]
        >,
      ),
      products: mapOf(v.pipe(v.string(), v.maxLength(MAX_NAME_CHARS)), ref),
      rollout: v.optional(name),
      made: v.optional(v.looseObject({ term: count, by: mapOf(v.string(), mark) })),
    }),
    v.check(
      ({ packages, products }) => Object.values(products).every((one) => Object.hasOwn(packages, one)),
      'products names a version that packages does not list',
    ),
  ),

  group: v.looseObject({
    rev,
    plant: name,
    group: name,
    stations: listOf(name),
    window: v.optional(maintenanceWindow()),
    max_unavailable: v.optional(
      v.union(
        [v.pipe(v.number(), v.integer(), v.minValue(1)), v.pipe(v.string(), v.regex(/^(?:[1-9]\d?|100)%$/))],
        'must be a whole number from 1, or a share from 1% to 100%',
      ),
    ),
  }),

  bar: v.looseObject({
    rev,
    plant: name,
    name: folderName,
    version,
    reason: text,
    by: text,
    at: text,
    lifted: v.optional(v.boolean()),
  }),

  lease: v.looseObject({ holder: name, term: rev }),

  rollout: v.looseObject({
    rev,
    plant: name,
    rollout: name,
    term: count,
    order: v.looseObject({
      name: folderName,
      version,
      digest,
      sources: v.optional(listOf(text, 100)),
      size_bytes: v.optional(count),
      products: v.optional(listOf(v.string())),
      waves: listOf(
        v.looseObject({
          group: v.optional(name),
          stations: v.optional(listOf(name)),
          share: v.optional(share),
          gates,
        }),
      ),
      on_failure: v.picklist(['back', 'halt']),
    }),
    number: count,
    state: v.picklist(['new', 'running', 'done', 'halted', 'back', 'refused']),
    reason: v.optional(text),
    stations: listOf(listOf(name)),
    wave: count,
    approved: v.pipe(v.number(), v.integer(), v.minValue(-1)),
    moving: listOf(name),
    wave_ms: figure,
    soaked_ms: figure,
    by: text,
    at: text,
  }),

  reported: v.looseObject({
    rev: count,
    seq: count,
    plant: name,
    station: name,
    state: v.picklist([
      ...(['converged', 'fetching', 'installing', 'waiting', 'switching', 'on_trial'] as const),
      ...(['failed', 'refused', 'idle'] as const),
    ]),
    reason: v.optional(text),
    code: v.optional(text),
    serving: mapOf(v.string(), name),
    on_trial: listOf(v.string()),
    deployed: mapOf(name, v.string()),
    quarantined: mapOf(name, text),
    words_rev: v.optional(count),
    host: v.looseObject({ name: text, platform: text, arch: text, node: text, library: text }),
    calls: v.optional(mapOf(v.string(), callFigures)),
    progress: v.optional(share),
    at: text,
  }),
}));

/** What a checked value is. */
export interface CheckedStates {
  signed: SignedState;
  desired: DesiredState;
  group: GroupState;
  bar: BarState;
  lease: LeaseState;
  rollout: RolloutState;
  reported: ReportedState;
}
