import { LONGEST_TIMER_MS } from '../longest-timer.js';
import { jsonOf } from '../options.js';
import { versionPolicyShape } from '../supervisor/policy-options.js';
import { DEFAULT_SEQUENTIAL_TEST, SEQUENTIAL_TEST_BOUNDS } from '../supervisor/switching/sequential-test.js';
import { LEAST_SHARE } from '../supervisor/switching/share-options.js';
import { OUTPUTS } from './inference/infer-body.js';
import { DATATYPES, MOST_DIMENSIONS, MOST_ELEMENTS } from './inference/tensors.js';
import {
  CLOSED,
  EXAMPLES,
  NAME_ENCODING,
  object,
  STRING,
  text,
  VERSION,
  whole,
  type Json,
} from './openapi-parts.js';

const OPERATOR = text('eve');
const PIDS: Json = { type: 'array', items: text(EXAMPLES.pid), minItems: 1, maxItems: 1000 };
const FORCE: Json = { type: 'boolean', default: false };
const BARRED_TOO: Json = {
  ...FORCE,
  description: 'Also to a version that one of the ids was taken back from',
};
const MAPPING = { ...VERSION, pids: PIDS, operator: OPERATOR, force: BARRED_TOO };

const share = (description: string): Json => ({
  ...{ type: 'number', minimum: 0, maximum: 1, description, examples: [0.1] },
});

const testShare = (name: keyof typeof SEQUENTIAL_TEST_BOUNDS, description: string): Json => {
  const [minimum, maximum] = SEQUENTIAL_TEST_BOUNDS[name];
  return { type: 'number', minimum, maximum, description, default: DEFAULT_SEQUENTIAL_TEST[name] };
};

/** All of them optional. */
const SEQUENTIAL_TEST = {
  acceptableRate: testShare('acceptableRate', 'Share of failed calls that a good version may have'),
  rejectableRate: testShare('rejectableRate', 'Share from which on a version is bad; above `acceptableRate`'),
  alpha: testShare('alpha', 'Probability, at most, that a good version is taken back'),
  beta: testShare('beta', 'Probability, at most, that a bad version is kept'),
};

const SHARE: Json = { type: 'number', minimum: LEAST_SHARE, maximum: 1, examples: [0.1] };

/** All of them optional. */
const TRIAL = {
  calls: whole('The trial is passed after so many calls', 1),
  durationMs: whole('Or after so long', 1, LONGEST_TIMER_MS),
  maxCrashes: whole('So many crashes fail it'),
  minCalls: whole('Calls before anything but crashes counts'),
  maxTimeoutRate: share('Share of calls that may time out'),
  maxErrorRate: share('Share of calls that may fail or be answered with ERROR'),
  maxLatencyRatio: {
    ...{ type: 'number', minimum: 0, examples: [3] },
    description: 'Median latency over that of the version before',
  },
  test: object(SEQUENTIAL_TEST, Object.keys(SEQUENTIAL_TEST), {
    ...CLOSED,
    description: 'Decides by a sequential test instead of fixed counts; {} takes the defaults',
  }),
};

const BASE64: Json = { type: 'string', minLength: 1, contentEncoding: 'base64', examples: ['AAAA'] };
const SIZE = { width: whole('In pixels', 1, 65_535), height: whole('In pixels', 1, 65_535) };
const IMAGES: Json[] = [
  object({ data: BASE64, ...SIZE, channels: { enum: [1, 3], default: 3 } }, ['channels'], CLOSED),
  object({ encoded: BASE64, ...SIZE }, [], {
    ...CLOSED,
    description: 'JPEG or PNG, gray or RGB of 8 bits a channel',
  }),
];

const WARM_UP = {
  image: { oneOf: IMAGES },
  guideImage: { oneOf: [...IMAGES, { enum: ['same'], description: 'The image itself' }] },
  stepIndex: whole('Step that is called', 0),
  stepDesc: text('solder'),
  userParams: { type: 'object' },
  calls: whole("Calls at each worker's place", 1, 1000),
};

/** Made of the rules by which `configure` checks a policy. */
export function policyRequest(): Json {
  return {
    ...jsonOf(versionPolicyShape()),
    description: 'Options of SupervisorPolicy, all optional; {} removes what was kept',
    examples: [{ workers: 2, executeTimeoutMs: 8_000 }],
  };
}

/** Schemas of what comes in as JSON. */
export const REQUESTS: Json = {
  InstallRequest: object(
    { path: text(EXAMPLES.path), force: FORCE, operator: OPERATOR, nameEncoding: NAME_ENCODING },
    ['force', 'operator', 'nameEncoding'],
    CLOSED,
  ),
  ActivateRequest: object(MAPPING, ['operator', 'force'], CLOSED),
  SwitchRequest: object(
    {
      ...MAPPING,
      probation: object(TRIAL, Object.keys(TRIAL), {
        ...CLOSED,
        description: 'Puts the new version on trial; {} takes the defaults. Needs a supervisor',
      }),
      share: {
        ...SHARE,
        description:
          'Share of the calls that the version has at first, mapped after its last step: each step has the trial of `probation`. Needs a supervisor',
      },
      steps: {
        type: 'array',
        items: SHARE,
        description:
          'Shares that follow, rising, with `share`. Left out: those of 0.1, 0.25 and 0.5 above it',
      },
      warmUp: object(WARM_UP, ['guideImage', 'stepIndex', 'stepDesc', 'userParams', 'calls'], {
        ...CLOSED,
        description: 'A call that must be answered OK before anything is moved. Needs a supervisor',
      }),
    },
    ['operator', 'force', 'probation', 'share', 'steps', 'warmUp'],
    CLOSED,
  ),
  RollbackRequest: object(
    {
      pid: text(EXAMPLES.pid),
      to: object(VERSION, [], { ...CLOSED, description: 'Left out: the version before' }),
      operator: OPERATOR,
      force: BARRED_TOO,
    },
    ['to', 'operator', 'force'],
    CLOSED,
  ),
  StartRequest: object(
    { workers: whole('Left out: what is kept for the version', 1, 1024) },
    ['workers'],
    CLOSED,
  ),
  ResetRequest: object(
    { session: { ...text('board-17'), description: 'Left out: the circuit is closed' } },
    ['session'],
    CLOSED,
  ),
  FixRequest: object(
    {
      id: {
        ...text('temp.left'),
        description: 'Only findings of this kind; left out: all that have a fix',
      },
      what: { ...STRING, minLength: 1, description: 'Only a finding with these words' },
    },
    ['id', 'what'],
    CLOSED,
  ),
  ParamsRequest: {
    type: 'object',
    description: 'Values by name, in the bounds that the version declares',
    examples: [{}],
  },
  InferRequest: object(
    {
      id: STRING,
      parameters: {
        type: 'object',
        description: 'step, timeout in microseconds, and parameters of the step',
      },
      inputs: {
        type: 'array',
        minItems: 1,
        items: object(
          {
            name: STRING,
            shape: {
              type: 'array',
              maxItems: MOST_DIMENSIONS,
              items: { type: 'integer', minimum: 0, maximum: MOST_ELEMENTS },
            },
            datatype: { enum: DATATYPES },
            parameters: { type: 'object' },
            data: { type: 'array', items: {} },
          },
          ['parameters', 'data'],
        ),
      },
      outputs: {
        type: 'array',
        items: object({ name: { enum: OUTPUTS }, parameters: { type: 'object' } }, ['parameters']),
      },
    },
    ['id', 'parameters', 'outputs'],
  ),
  DeactivateRequest: object({ pids: PIDS, operator: OPERATOR }, ['operator'], CLOSED),
  ValidateRequest: {
    oneOf: [
      object({ path: text(EXAMPLES.path), nameEncoding: NAME_ENCODING }, ['nameEncoding'], CLOSED),
      object(VERSION, [], CLOSED),
    ],
  },
};
