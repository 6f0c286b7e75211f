import { ACTIONS_BODY, ANSWERS, answered } from './openapi-answers.js';
import { CLOSED, listOf, object, ref, STRING, text, VERSION, whole, type Json } from './openapi-parts.js';

const { count: COUNT } = ANSWERS;
const ROLLOUT = text('board-check-1.1.0-1');
const WAVE = whole('The wave that was looked at: after the rollout has gone on nothing is approved');
const REASON = { ...text('scratches are missed'), description: 'For the record of the fleet' };
const OPERATOR = { ...text('eve'), description: 'Who asks, where the server does not know' };
/** Product id to `name@version`. */
const BY_PRODUCT: Json = { type: 'object', additionalProperties: STRING };
const GATE = { enum: ['accepted', 'failed', 'errors', 'drift', 'latency', 'soak', 'deadline', 'approval'] };
const STANDING = {
  enum: ['unconcerned', 'pending', 'queued', 'moving', 'accepted', 'failed', 'kept', 'back'],
};

/** What the endpoints of the fleet take and answer. */
export const FLEET_SCHEMAS: Json = {
  FleetHaltRequest: object(
    { rollout: ROLLOUT, reason: REASON, operator: OPERATOR },
    ['rollout', 'reason', 'operator'],
    { ...CLOSED, examples: [{}] },
  ),
  FleetApproveRequest: object(
    { rollout: ROLLOUT, wave: WAVE, operator: OPERATOR },
    ['wave', 'operator'],
    CLOSED,
  ),
  FleetBackRequest: {
    oneOf: [
      object({ rollout: ROLLOUT, reason: REASON, operator: OPERATOR }, ['reason', 'operator'], CLOSED),
      object({ ...VERSION, reason: REASON, operator: OPERATOR }, ['reason', 'operator'], CLOSED),
    ],
  },
  FleetStation: object(
    {
      ...{ station: STRING, isReachable: { type: 'boolean' }, state: STRING, reason: STRING },
      ...{ serving: BY_PRODUCT, onTrial: listOf(STRING), quarantined: BY_PRODUCT, desired: BY_PRODUCT },
      ...{ progress: { type: 'number', minimum: 0, maximum: 1 }, reportedAt: STRING },
    },
    ['reason', 'progress', 'reportedAt'],
  ),
  FleetRollout: object(
    {
      ...{ id: STRING, name: STRING, version: STRING, by: STRING, reason: STRING },
      state: { enum: ['new', 'running', 'done', 'halted', 'back', 'refused'] },
      ...{ wave: COUNT, waves: COUNT },
      report: object({
        state: { enum: ['open', 'waiting', 'failed'] },
        checks: listOf(
          object({ gate: GATE, state: { enum: ['open', 'waiting', 'failed'] }, reason: STRING }),
        ),
        counts: { type: 'object', additionalProperties: COUNT },
        isStanding: { type: 'boolean' },
      }),
      stations: listOf(object({ station: STRING, standing: STANDING, reason: STRING }, ['reason'])),
    },
    ['reason', 'report'],
  ),
  FleetStatus: object(
    {
      plant: STRING,
      controller: object({ holder: STRING, term: COUNT }),
      stations: listOf(ref('FleetStation')),
      groups: listOf({ type: 'object' }),
      bars: listOf({ type: 'object' }),
      rollouts: listOf(ref('FleetRollout')),
      faults: listOf(object({ key: STRING, reason: STRING })),
    },
    ['controller'],
  ),
};

const PROBLEMS = [404, 409, 413, 415, 501, 503];
const STATE: Json = { type: 'object', description: 'As it was signed into the bucket' };
const operation = (operationId: string, summary: string, more: Json): Json => ({
  ...{ operationId, summary, tags: ['operating'] },
  ...more,
});

/** The plant that the station belongs to. */
export const FLEET_PATHS: Json = {
  '/fleet': {
    get: operation('fleet', 'The plant at a glance: stations, rollouts and their gates', {
      responses: answered('200', 'The plant', ref('FleetStatus'), [501, 503]),
    }),
  },
  '/fleet/halt': {
    post: operation('haltFleet', 'Move no further station', {
      requestBody: { ...ACTIONS_BODY('FleetHaltRequest'), required: false },
      responses: answered('200', 'What is halted', listOf(STATE), PROBLEMS),
    }),
  },
  '/fleet/approve': {
    post: operation('approveFleet', 'Let the wave pass that waits for approval', {
      requestBody: ACTIONS_BODY('FleetApproveRequest'),
      responses: answered('200', 'The rollout', STATE, PROBLEMS),
    }),
  },
  '/fleet/back': {
    post: operation('backFleet', 'Bar a version: each station that serves it goes back at once', {
      requestBody: ACTIONS_BODY('FleetBackRequest'),
      responses: answered('200', 'The bar', STATE, PROBLEMS),
    }),
  },
};
