import { ACTIONS_BODY, ANSWERS, answered, json, noContent, query, responses } from './openapi-answers.js';
import { EXAMPLES, object, ref, listOf, STRING, text, whole, type Json } from './openapi-parts.js';

const UPWARDS = 'Not with .. between slashes, encoded or not: that is refused';
const place = (name: string, example: string): Json => ({
  ...{ name, in: 'path', required: true, schema: text(example), description: UPWARDS },
});
const VERSION_PLACE = [place('name', EXAMPLES.name), place('version', EXAMPLES.version)];
const PRODUCT = place('productId', EXAMPLES.pid);

const DRY_RUN = query('dryRun', { type: 'boolean', default: false }, 'Only say what would go');
const OPERATOR = query('operator', text('eve'), 'Who does it, for the audit log');

const HEALTH: Json = {
  ...answered('200', 'It is ready', ref('Health')),
  '503': { description: 'It is not, with reasons', content: json(ref('Health')) },
};

/** A picture: its pixels lie as the headers say. */
const header = (name: string, schema: Json, description: string): Json => ({
  ...{ name, in: 'header', required: false, schema, description },
});
const PICTURE_HEADERS = [
  header('X-Image-Width', whole('Pixels', 1, 65_535), 'Of a raw body'),
  header('X-Image-Height', whole('Pixels', 1, 65_535), 'Of a raw body'),
  header(
    'X-Image-Format',
    { ...STRING, default: 'RGB8', examples: ['RGB8'] },
    'Of a raw body, by its name in GenICam PFNC',
  ),
  header(
    'X-Image-Stride',
    whole('Bytes', 1, 2 ** 29),
    'Bytes from one row to the next. Left out: no padding',
  ),
  header(
    'X-Image-To-Eight-Bits',
    { ...STRING, pattern: '^(?:shift|\\d{1,5}-\\d{1,5})$', examples: ['shift', '0-4095'] },
    'How more than 8 bits become 8',
  ),
  header(
    'Idempotency-Key',
    { ...STRING, pattern: '^[!-~]{1,255}$', examples: ['part-4711'] },
    'The same request with it gets the same answer for ten minutes',
  ),
];

const BINARY: Json = {};
const PICTURES: Json = {
  ...{
    'image/jpeg': BINARY,
    'image/png': BINARY,
    'image/tiff': BINARY,
    'image/bmp': BINARY,
    'image/webp': BINARY,
  },
  'application/octet-stream': BINARY,
  'multipart/form-data': {
    schema: object(
      {
        image: { type: 'string', description: 'The picture, or pixels as application/octet-stream' },
        guide_image: { type: 'string', description: 'What it is compared with, or the word same' },
        params: {
          type: 'string',
          contentMediaType: 'application/json',
          description:
            'Parameters of the step. Schemas of what is active: #/components/schemas/Parameters.NAME.VERSION.STEP',
        },
      },
      ['guide_image', 'params'],
    ),
  },
};

const INSPECT: Json = {
  operationId: 'inspect',
  summary: 'Inspect one picture',
  description:
    'An algorithm that answers ERROR is a result with status 200. A full server answers 429 with Retry-After.',
  tags: ['inspecting'],
  parameters: [
    PRODUCT,
    query('step', whole('Of the version', 0, 1_000_000), 'Left out: the first step of the version'),
    query(
      'timeoutMs',
      whole('Milliseconds', 1, 2_147_483_647),
      'From the first byte of the request to its answer',
    ),
    query(
      'orientation',
      { enum: ['apply', 'ignore'], default: 'apply' },
      'What a turn that a picture in a file format names does',
    ),
    query(
      'decode',
      { enum: ['host', 'package'], default: 'host' },
      "Who decodes a picture in a file format; 'package' hands a JPEG or PNG on to its Pillow",
    ),
    ...PICTURE_HEADERS,
  ],
  requestBody: { required: true, content: PICTURES },
  responses: answered(
    '200',
    'The result',
    ref('InspectionResult'),
    [404, 408, 409, 413, 415, 422, 429, 501, 502, 503, 504],
  ),
};

const get = (operationId: string, summary: string, more: Json): Json => ({
  get: { operationId, summary, tags: ['operating'], ...more },
});
const post = (operationId: string, summary: string, more: Json): Json => ({
  post: { operationId, summary, tags: ['operating'], ...more },
});

/** What of the station is looked at. */
const EXAMINED = [
  query('name', text(EXAMPLES.name), 'Only a version of this package; goes with version'),
  query('version', text(EXAMPLES.version), 'Only this version; goes with name'),
  query(
    'verify',
    { type: 'boolean', default: false },
    'Also compare every file with what was installed, which takes as long as reading it',
  ),
];

const OPERATING: Json = {
  '/health': get('health', 'Whether it is live and ready, with reasons', { responses: HEALTH }),
  '/health/live': get('live', 'Whether the process answers', {
    responses: answered('200', 'It does', object({ live: { const: true } })),
  }),
  '/health/ready': get('ready', 'Whether every active version answers calls', { responses: HEALTH }),
  '/status': get('status', 'Every version that is started, and its workers', {
    responses: answered('200', 'The versions', listOf(ref('VersionStatus')), [501]),
  }),
  '/metrics': get('metrics', 'Metrics in OpenMetrics 1.0', {
    responses: responses('200', 'The text', {
      content: { 'application/openmetrics-text': { schema: STRING } },
    }),
  }),
  '/events': get('events', 'Events of all emitters, by name', {
    description:
      'Server-sent events without end; `missed` says that events after `Last-Event-ID` are not kept any more.',
    parameters: [
      query('names', text('installed,result'), 'Only these, divided by commas'),
      query(
        'kept',
        { type: 'boolean', default: false },
        'Without `Last-Event-ID`: first those that are kept',
      ),
      header(
        'Last-Event-ID',
        { ...STRING, maxLength: 64, examples: ['k2-17'] },
        'The last that was received',
      ),
    ],
    responses: responses('200', 'The stream', { content: { 'text/event-stream': { schema: STRING } } }),
  }),
  '/doctor': get('doctor', 'What is wrong with the station, or with a version of it', {
    parameters: EXAMINED,
    responses: answered('200', 'The findings, errors first', listOf(ref('Finding')), [404]),
  }),
  '/doctor/fix': post('fix', 'Put right what is found and has a fix', {
    parameters: [...EXAMINED, OPERATOR],
    requestBody: { ...ACTIONS_BODY('FixRequest'), required: false },
    responses: answered('200', 'What is put right, and what is found now', ref('FixReport'), [404, 413, 415]),
  }),
  '/thumbnails/{requestId}': get('thumbnail', 'The picture of a recent inspection, small', {
    parameters: [place('requestId', EXAMPLES.requestId)],
    responses: responses(
      '200',
      'At most 128 × 96 pixels',
      {
        headers: {
          'X-Image-Width': { description: 'Pixels of the picture itself', schema: STRING },
          'X-Image-Height': { description: 'Pixels of the picture itself', schema: STRING },
        },
        content: { 'image/png': BINARY },
      },
      [404],
    ),
  }),
  '/logs': get('logs', 'Last lines of the workers of a version, or of the audit logs', {
    parameters: [
      query('name', text(EXAMPLES.name), 'Of the package; left out: the audit logs'),
      query('version', text(EXAMPLES.version), 'Left out: every version'),
      query('lines', { ...whole('Lines', 1, 1_000), default: 100 }, 'So many at most, the oldest first'),
    ],
    responses: answered('200', 'The lines', listOf({ type: 'object' }), [404]),
  }),
  '/algorithms/rollback': post('rollback', 'Back to the version that served a product id before', {
    requestBody: ACTIONS_BODY('RollbackRequest'),
    responses: answered('200', 'The mapping', ref('ActiveMapping'), [404, 409, 413, 415, 422, 502, 503, 504]),
  }),
  '/algorithms/prune': post('prune', 'Remove versions past the retention', {
    parameters: [query('name', text(EXAMPLES.name), 'Only of this package'), DRY_RUN, OPERATOR],
    responses: answered('200', 'What went, or would go', { type: 'object' }, [503]),
  }),
  '/algorithms/recover': post('recover', 'Finish or undo what was cut off', {
    parameters: [DRY_RUN],
    responses: answered('200', 'What was done, or would be', { type: 'object' }, [503]),
  }),
  '/algorithms/active/{productId}': get('getActive', 'The version that serves a product id', {
    parameters: [PRODUCT],
    responses: answered('200', 'The mapping', ref('ActiveMapping'), [404]),
  }),
  '/algorithms/active/{productId}/params': {
    ...get('getParams', 'Parameters that are kept for its calls', {
      parameters: [PRODUCT],
      responses: answered('200', 'The values, by name', { type: 'object' }, [404]),
    }),
    put: {
      ...{ operationId: 'setParams', summary: 'Keep parameters for its calls', tags: ['operating'] },
      parameters: [PRODUCT, OPERATOR],
      requestBody: ACTIONS_BODY('ParamsRequest'),
      responses: answered('200', 'The values, by name', { type: 'object' }, [404, 413, 415, 503]),
    },
  },
  '/algorithms/{name}/{version}/parameters': get('getParameters', 'What its steps can be set to', {
    description:
      'A JSON Schema (draft 2020-12) for each step, for forms. It takes any object where the step declares none.',
    parameters: VERSION_PLACE,
    responses: answered('200', 'The schemas', ref('VersionParameters'), [404]),
  }),
  '/algorithms/{name}/{version}/start': post('start', 'Start its workers; answers when they are ready', {
    parameters: VERSION_PLACE,
    requestBody: { ...ACTIONS_BODY('StartRequest'), required: false },
    responses: answered('200', 'Its status', ref('VersionStatus'), [404, 413, 415, 501, 502, 503, 504]),
  }),
  '/algorithms/{name}/{version}/stop': post('stop', 'Stop its workers; calls that run are finished first', {
    parameters: VERSION_PLACE,
    responses: noContent('Stopped', [404, 501, 503]),
  }),
  '/algorithms/{name}/{version}/reset': post(
    'reset',
    'Close its circuit, or let the algorithm forget a session',
    {
      parameters: VERSION_PLACE,
      requestBody: { ...ACTIONS_BODY('ResetRequest'), required: false },
      responses: noContent('Done', [404, 413, 415, 501, 502, 503, 504]),
    },
  ),
  '/algorithms/{name}/{version}/verify': post('verify', 'Compare every file with what was installed', {
    parameters: VERSION_PLACE,
    responses: answered('200', 'What has changed', { type: 'object' }, [404, 503]),
  }),
  '/algorithms/{name}/{version}/policy': {
    put: {
      ...{ operationId: 'configure', summary: 'Keep a policy for the version', tags: ['operating'] },
      parameters: [...VERSION_PLACE, OPERATOR],
      requestBody: ACTIONS_BODY('PolicyRequest'),
      responses: answered(
        '200',
        'The policy, values of its environment hidden',
        { type: 'object' },
        [404, 413, 415, 501, 503],
      ),
    },
  },
  '/packages': get('packages', 'What is in zips/', {
    responses: answered('200', 'The packages', listOf(ref('Package'))),
  }),
  '/packages/{file}': {
    delete: {
      ...{ operationId: 'removePackage', summary: 'Remove a file of zips/', tags: ['operating'] },
      parameters: [place('file', EXAMPLES.path), DRY_RUN, OPERATOR],
      responses: answered(
        '200',
        'What went, or would go',
        object({ file: STRING, sizeBytes: ANSWERS.count, dryRun: { type: 'boolean' } }),
        [404, 503],
      ),
    },
  },
};

const MODEL_ERRORS = [404, 501];
const READY = object({ name: STRING, ready: { type: 'boolean' }, error: STRING }, ['error']);

function modelPaths(path: string, ending: string, parameters: Json[]): Json {
  const operation = (operationId: string, summary: string, more: Json): Json => ({
    ...{ operationId: operationId + ending, summary, tags: ['inference'], parameters },
    ...more,
  });
  return {
    [path]: {
      get: operation('model', 'Names, shapes and versions', {
        responses: answered('200', 'The model', { type: 'object' }, MODEL_ERRORS),
      }),
    },
    [`${path}/ready`]: {
      get: operation('modelReady', 'Whether it takes calls', {
        responses: {
          ...answered('200', 'It does', READY, MODEL_ERRORS),
          '503': { description: 'It does not', content: json(READY) },
        },
      }),
    },
    [`${path}/infer`]: {
      post: operation('infer', 'Inspect the tensor `image`', {
        requestBody: {
          required: true,
          content: { ...json(ref('InferRequest')), 'application/octet-stream': BINARY },
        },
        parameters: [
          ...parameters,
          header(
            'Inference-Header-Content-Length',
            whole('Bytes', 0, 999_999_999_999),
            'With binary tensors: how long the JSON at the beginning of the body is',
          ),
        ],
        responses: responses(
          '200',
          'The tensors `result` and `verdict`',
          { content: { ...json({ type: 'object' }), 'application/octet-stream': BINARY } },
          [...MODEL_ERRORS, 408, 413, 415, 422, 429, 502, 503, 504],
        ),
      }),
    },
  };
}

/** The Open Inference Protocol, version 2. */
const INFERENCE: Json = {
  '/v2': {
    get: {
      ...{ operationId: 'server', summary: 'Name, version and extensions', tags: ['inference'] },
      responses: answered(
        '200',
        'The server',
        object({ name: STRING, version: STRING, extensions: listOf(STRING) }),
      ),
    },
  },
  '/v2/health/live': {
    get: {
      ...{ operationId: 'serverLive', summary: 'Whether the process answers', tags: ['inference'] },
      responses: answered('200', 'It does', object({ live: { const: true } })),
    },
  },
  '/v2/health/ready': {
    get: {
      ...{
        operationId: 'serverReady',
        summary: 'Whether every active version answers calls',
        tags: ['inference'],
      },
      responses: HEALTH,
    },
  },
  ...modelPaths('/v2/models/{productId}', '', [PRODUCT]),
  ...modelPaths('/v2/models/{productId}/versions/{version}', 'Version', [
    PRODUCT,
    place('version', EXAMPLES.version),
  ]),
};

/** Inspections, workers and what there is to know of them. */
export const OPERATING_PATHS: Json = {
  '/inspections/{productId}': { post: INSPECT },
  ...OPERATING,
  ...INFERENCE,
};
