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
  BoundaryCase: object(
    {
      number: COUNT,
      title: STRING,
      owedBy: listOf({ enum: ['algorithm', 'worker', 'host'] }),
      errorCode: STRING,
      result: { enum: ['PASS', 'FAIL', 'SKIP'] },
      message: STRING,
    },
    ['errorCode'],
  ),
  ValidationReport: object(
    {
      summary: object({ status: { enum: ['PASS', 'FAIL'] }, passed: COUNT, failed: COUNT, skipped: COUNT }),
      checks: listOf(ref('Check')),
      error: ref('Problem'),
      manifest: { type: 'object' },
      info: { type: 'object' },
      warnings: listOf(STRING),
      boundaryCases: listOf(ref('BoundaryCase')),
    },
    ['error', 'manifest', 'info', 'warnings', 'boundaryCases'],
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

const TIME_MS: Json = { type: 'number', minimum: 0 };

const SHARE: Json = { type: 'number', minimum: 0, maximum: 1 };

const OPERATING: Json = {
  Health: object({
    live: { type: 'boolean' },
    ready: { type: 'boolean' },
    checks: listOf(object({ name: STRING, ok: { type: 'boolean' }, message: STRING })),
  }),
  VersionStatus: object(
    {
      name: STRING,
      version: STRING,
      productIds: listOf(STRING),
      policy: { type: 'object' },
      generation: { enum: ['phased', 'execute-only'] },
      state: { enum: ['deployed', 'starting', 'running', 'executing', 'failed', 'stopping', 'stopped'] },
      circuit: STRING,
      processId: COUNT,
      uptimeMs: TIME_MS,
      restarts: COUNT,
      inFlight: COUNT,
      queued: COUNT,
      spares: COUNT,
      latency: { type: 'object' },
      rssBytes: COUNT,
      cpu: { type: 'number', minimum: 0 },
      gpuMemoryBytes: COUNT,
      lastError: ref('Problem'),
      trial: object({ productIds: listOf(STRING), from: listOf(object({ name: STRING, version: STRING })) }),
      canary: listOf(
        object({
          ...{ productIds: listOf(STRING), share: SHARE, steps: listOf(SHARE) },
          from: listOf(object({ name: STRING, version: STRING })),
          ...{ calls: COUNT, failures: COUNT, ageMs: TIME_MS },
        }),
      ),
      workers: listOf(object({ worker: COUNT, state: STRING, restarts: COUNT, calls: COUNT })),
    },
    ['processId', 'rssBytes', 'cpu', 'gpuMemoryBytes', 'lastError', 'trial'],
  ),
  VersionParameters: object({
    ...{ name: STRING, version: STRING },
    steps: listOf(object({ index: COUNT, name: STRING, schema: { type: 'object' } }, ['name'])),
  }),
  Finding: object(
    {
      ...{ id: STRING, severity: { enum: ['error', 'warning', 'note'] } },
      ...{ what: STRING, why: STRING, remedy: STRING },
      fix: object({ what: STRING }),
      ...{ path: STRING, name: STRING, version: STRING },
    },
    ['fix', 'path', 'name', 'version'],
  ),
  FixReport: object({
    fixed: listOf(ref('Finding')),
    failed: listOf({ allOf: [ref('Finding'), object({ error: ref('Problem') })] }),
    findings: listOf(ref('Finding')),
  }),
  Package: object(
    {
      file: STRING,
      name: STRING,
      version: STRING,
      state: { enum: PACKAGE_STATES },
      settling: { type: 'boolean' },
      sizeBytes: COUNT,
      busy: { type: 'object' },
      reason: { type: 'object' },
    },
    ['name', 'version', 'busy', 'reason'],
  ),
  InspectionResult: object(
    {
      status: { enum: ['OK', 'ERROR'] },
      message: STRING,
      errorCode: STRING,
      exception: { type: 'object' },
      data: {
        type: 'object',
        description: 'result_status OK or NG, boxes, and what else the algorithm gives',
      },
      requestId: STRING,
      worker: COUNT,
      attempts: COUNT,
      timing: object({
        startMs: TIME_MS,
        queueMs: TIME_MS,
        frameMs: TIME_MS,
        callMs: TIME_MS,
        totalMs: TIME_MS,
      }),
      name: STRING,
      version: STRING,
      fellBackFrom: object({ name: STRING, version: STRING, code: STRING, message: STRING }),
      proof: object({ images: listOf({ type: 'object' }), by: { enum: ['worker', 'host'] } }),
      nonFinite: listOf(STRING),
      bigIntegers: listOf(STRING),
      warnings: listOf(STRING),
      metrics: { type: 'object' },
    },
    ['errorCode', 'exception', 'fellBackFrom', 'proof', 'nonFinite', 'bigIntegers', 'metrics'],
  ),
};

/** Schemas of everything that comes in and goes out as JSON. */
export const SCHEMAS: Json = {
  ...REQUESTS,
  ...ENTRIES,
  ...REPORT,
  ...EVENTS,
  ...OPERATING,
  Problem: object(
    {
      type: { type: 'string', format: 'uri' },
      title: STRING,
      status: { type: 'integer', minimum: 400, maximum: 599 },
      detail: STRING,
      code: { enum: [...new Set([...Object.keys(ERROR_NUMBERS), ...Object.keys(STATUS_OF_FAULT)])] },
      error_code: { type: 'string', description: 'Number of the specifications, such as 2001' },
      retryable: { type: 'boolean', description: 'Whether the same request may succeed if made again' },
      error: { type: 'string', description: 'As detail; under /v2 alone' },
      details: { type: 'object' },
    },
    ['error_code', 'retryable', 'error', 'details'],
  ),
};
