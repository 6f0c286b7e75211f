import { ERROR_NUMBERS } from '../errors.js';
import { listOf, object, ref, STRING, type Json } from './openapi-parts.js';
import { REQUESTS } from './openapi-requests.js';
import { PACKAGE_STATES } from './query.js';
import { STATUS_OF_FAULT } from './status.js';

const COUNT: Json = { type: 'integer', minimum: 0 };
const TIME: Json = { type: 'string', format: 'date-time' };

const ENTRIES: Json = {
  RegistryEntry: object(
    {
      name: STRING,
      version: STRING,
      supported_pids: { ...listOf(STRING), description: 'Empty means any' },
      state: { enum: PACKAGE_STATES },
      created_at: TIME,
      entry_point: { type: 'string', description: 'module.path:ClassName' },
      generation: { enum: ['phased', 'execute-only'] },
      sdk_version: STRING,
      python_version: STRING,
      sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
      size_bytes: COUNT,
      operator: STRING,
    },
    ['sdk_version', 'python_version', 'sha256', 'size_bytes', 'operator'],
  ),
  ActiveMapping: object(
    {
      pid: STRING,
      name: STRING,
      version: STRING,
      activated_at: TIME,
      operator: STRING,
      history: listOf(object({ name: STRING, version: STRING, activated_at: TIME })),
      barred: listOf(object({ name: STRING, version: STRING, reason: STRING, at: TIME })),
    },
    ['operator', 'history', 'barred'],
  ),
};

const CHECK = {
  name: STRING,
  result: { enum: ['PASS', 'FAIL', 'SKIP'] },
  message: STRING,
  durationMs: { type: 'number', minimum: 0 },
};

const REPORT: Json = {
  Check: object(CHECK),
  ValidationReport: object(
    {
      summary: object({ status: { enum: ['PASS', 'FAIL'] }, passed: COUNT, failed: COUNT, skipped: COUNT }),
      checks: listOf(ref('Check')),
      error: ref('Problem'),
      manifest: { type: 'object' },
      info: { type: 'object' },
      warnings: listOf(STRING),
    },
    ['error', 'manifest', 'info', 'warnings'],
  ),
};

const OPERATION = { id: STRING, operation: { const: 'install' }, name: STRING, version: STRING };
const UNTIL_READ = ['name', 'version'];

const EVENTS: Json = {
  StageEvent: object({ ...OPERATION, stage: STRING }, UNTIL_READ),
  ProgressEvent: object(
    {
      ...OPERATION,
      stage: STRING,
      doneBytes: COUNT,
      totalBytes: COUNT,
      fraction: { type: 'number', minimum: 0, maximum: 1 },
    },
    UNTIL_READ,
  ),
  CheckEvent: object({
    ...CHECK,
    id: STRING,
    operation: { const: 'install' },
    package: object({ name: STRING, version: STRING }),
  }),
};

/** Schemas of everything that comes in and goes out as JSON. */
export const SCHEMAS: Json = {
  ...REQUESTS,
  ...ENTRIES,
  ...REPORT,
  ...EVENTS,
  Problem: object(
    {
      type: { type: 'string', format: 'uri' },
      title: STRING,
      status: { type: 'integer', minimum: 400, maximum: 599 },
      detail: STRING,
      code: { enum: [...Object.keys(ERROR_NUMBERS), ...Object.keys(STATUS_OF_FAULT)] },
      error_code: { type: 'string', description: 'Number of the specifications, such as 2001' },
      retryable: { type: 'boolean', description: 'Whether the same request may succeed if made again' },
      details: { type: 'object' },
    },
    ['error_code', 'retryable', 'details'],
  ),
};
