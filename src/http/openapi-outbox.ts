import { ACTIONS_BODY, ANSWERS, answered } from './openapi-answers.js';
import { ABSOLUTE } from './operations/outbox.js';
import { listOf, object, ref, STRING, type Json } from './openapi-parts.js';

const { count: COUNT } = ANSWERS;
const AMOUNT = object({ records: COUNT, bytes: COUNT });
const BY_PRIORITY = object({
  health: AMOUNT,
  business: AMOUNT,
  diagnostics: AMOUNT,
  ngPictures: AMOUNT,
  okPictures: AMOUNT,
});
const BY_REASON = object({ full: AMOUNT, age: AMOUNT, disk: AMOUNT, encoding: AMOUNT });
const CAUSE = { enum: ['network', 'credentials', 'platform'] };
const UNIX_MS: Json = { type: 'number', description: 'Unix time in milliseconds' };

/** What the endpoints of the outbox take and answer. */
export const OUTBOX_SCHEMAS: Json = {
  OutboxRetryRequest: {
    ...object({ aside: { type: 'boolean', default: false, description: 'Also what was refused for good' } }, [
      'aside',
    ]),
    additionalProperties: false,
  },
  OutboxExportRequest: {
    ...object({
      folder: {
        ...{
          type: 'string',
          minLength: 1,
          maxLength: 512,
          pattern: ABSOLUTE.source,
          examples: ['/media/stick/outbox'],
        },
        description: 'Absolute path on the station',
      },
    }),
    additionalProperties: false,
  },
  OutboxExport: object({ folder: STRING, records: COUNT, pictures: COUNT, missing: COUNT }),
  OutboxReport: object({
    outbox: object(
      {
        ...{ folder: STRING, station: STRING, due: BY_PRIORITY, oldestDueAt: UNIX_MS, kept: AMOUNT },
        ...{ maxBytes: COUNT, aside: COUNT, delivered: COUNT, failures: COUNT, shed: BY_PRIORITY },
        ...{ shedBy: BY_REASON, lastPictureFault: object({ reason: STRING, at: UNIX_MS }) },
        ...{ recorded: COUNT, pending: COUNT, diskError: STRING },
      },
      ['oldestDueAt', 'lastPictureFault', 'diskError'],
    ),
    delivery: object(
      {
        state: { enum: ['running', 'paused', 'closed'] },
        to: STRING,
        network: { enum: ['unknown', 'up', ...CAUSE.enum] },
        isDegraded: { type: 'boolean' },
        lastFault: object(
          {
            ...{ cause: CAUSE, reason: STRING, lane: { enum: ['records', 'pictures'] } },
            ...{ at: UNIX_MS, endedAt: UNIX_MS },
          },
          ['endedAt'],
        ),
        ...{ lastTakenAt: UNIX_MS, retryAt: UNIX_MS, startedAt: UNIX_MS },
        sent: object({ records: COUNT, pictures: COUNT, bytes: COUNT }),
        ...{ failures: COUNT, refused: COUNT },
      },
      ['lastFault', 'lastTakenAt', 'retryAt'],
    ),
    aside: listOf(object({ ingestId: STRING, kind: STRING, reason: STRING, setAsideAt: UNIX_MS })),
  }),
};

const REPORT = answered('200', 'How it stands', ref('OutboxReport'), [415, 501, 503, 507]);
const operation = (operationId: string, summary: string, more: Json = { responses: REPORT }): Json => ({
  ...{ operationId, summary, tags: ['operating'] },
  ...more,
});

/** The outbox: what is on its way to the platform. */
export const OUTBOX_PATHS: Json = {
  '/outbox': { get: operation('outbox', 'What waits for the platform, and how its delivery stands') },
  '/outbox/pause': { post: operation('pauseOutbox', 'Send nothing until it is resumed') },
  '/outbox/resume': { post: operation('resumeOutbox', 'Send again') },
  '/outbox/retry': {
    post: operation('retryOutbox', 'Try at once what waits for its retry', {
      requestBody: { ...ACTIONS_BODY('OutboxRetryRequest'), required: false },
      responses: REPORT,
    }),
  },
  '/outbox/export': {
    post: operation('exportOutbox', 'Copy what waits to a folder of the station, such as a stick', {
      requestBody: ACTIONS_BODY('OutboxExportRequest'),
      responses: answered('200', 'What was copied', ref('OutboxExport'), [415, 501, 503, 507]),
    }),
  },
};
