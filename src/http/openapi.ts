/** A JSON Schema or an OpenAPI object: plain data. */
type Json = Record<string, unknown>;

const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: Json): Json => ({ 'application/json': { schema } });
const text: Json = { type: 'string', minLength: 1, maxLength: 512 };
const listOf = (items: Json): Json => ({ type: 'array', items });

const PACKAGE_BYTES: Json = { schema: { type: 'string', format: 'binary' } };
const UPLOAD: Json = {
  'application/zip': PACKAGE_BYTES,
  'application/octet-stream': PACKAGE_BYTES,
  'multipart/form-data': {
    schema: {
      type: 'object',
      required: ['file'],
      properties: { file: { type: 'string', format: 'binary' } },
    },
  },
};

const PROBLEM: Json = {
  description: 'A failure, told by its code (RFC 9457)',
  content: { 'application/problem+json': { schema: ref('Problem') } },
};

/** A response for each status, and a problem document for every other. */
function responses(status: string, description: string, content?: Json): Json {
  return { [status]: { description, ...(content && { content }) }, default: PROBLEM };
}

function query(name: string, schema: Json, description: string): Json {
  return { name, in: 'query', required: false, schema, description };
}

const FORCE = query('force', { type: 'boolean', default: false }, 'Do it although a rule of safety refuses');
const OPERATOR = query('operator', text, 'Who does it, for the audit log');
const STATES = ['discovered', 'validated', 'deployed', 'running', 'executing', 'stopped', 'invalid'];

const PATHS: Json = {
  '/openapi.json': {
    get: {
      operationId: 'describe',
      summary: 'This document',
      responses: responses('200', 'OpenAPI 3.1', json({ type: 'object' })),
    },
  },
  '/algorithms': {
    get: {
      operationId: 'list',
      summary: 'Deployed versions',
      parameters: [
        query('state', { enum: STATES }, 'Only those in this state'),
        query('name', text, 'Only versions of this package'),
      ],
      responses: responses('200', 'The versions', json(listOf(ref('RegistryEntry')))),
    },
  },
  '/algorithms/active': {
    get: {
      operationId: 'listActive',
      summary: 'Which version serves each product id',
      responses: responses(
        '200',
        'Mappings by product id',
        json({ type: 'object', additionalProperties: ref('ActiveMapping') }),
      ),
    },
  },
  '/algorithms/install': {
    post: {
      operationId: 'install',
      summary: 'Deploy a package: a path inside zips/, or the package itself',
      description:
        'With `Accept: text/event-stream` the answer is a stream of the events `stage`, `progress` and `check`, and at ' +
        'last `installed` (a RegistryEntry) or `failed` (a Problem).',
      parameters: [FORCE, OPERATOR],
      requestBody: { required: true, content: { ...json(ref('InstallRequest')), ...UPLOAD } },
      responses: {
        '200': { description: 'Progress', content: { 'text/event-stream': { schema: { type: 'string' } } } },
        ...responses('201', 'Deployed', json(ref('RegistryEntry'))),
      },
    },
  },
  '/algorithms/activate': {
    post: {
      operationId: 'activate',
      summary: 'Bind product ids to a version, all or none',
      requestBody: { required: true, content: json(ref('MappingRequest')) },
      responses: responses('200', 'The mappings', json(listOf(ref('ActiveMapping')))),
    },
  },
  '/algorithms/switch': {
    post: {
      operationId: 'switch',
      summary: 'Move product ids to another version without losing a call',
      requestBody: { required: true, content: json(ref('MappingRequest')) },
      responses: responses('200', 'The mappings', json(listOf(ref('ActiveMapping')))),
    },
  },
  '/algorithms/validate': {
    post: {
      operationId: 'validate',
      summary: 'Check a path inside zips/, an upload, or a deployed version',
      requestBody: { required: true, content: { ...json(ref('ValidateRequest')), ...UPLOAD } },
      responses: responses('200', 'The report, of a good or a bad package', json(ref('ValidationReport'))),
    },
  },
  '/algorithms/{name}/{version}': {
    delete: {
      operationId: 'uninstall',
      summary: 'Remove a version',
      parameters: [
        { name: 'name', in: 'path', required: true, schema: text },
        { name: 'version', in: 'path', required: true, schema: text },
        FORCE,
        OPERATOR,
      ],
      responses: responses('204', 'Removed'),
    },
  },
};

const SCHEMAS: Json = {
  InstallRequest: {
    type: 'object',
    additionalProperties: false,
    required: ['path'],
    properties: { path: text, force: { type: 'boolean' }, operator: text },
  },
  MappingRequest: {
    type: 'object',
    additionalProperties: false,
    required: ['name', 'version', 'pids'],
    properties: {
      name: text,
      version: text,
      pids: { type: 'array', items: text, minItems: 1, maxItems: 1000 },
      operator: text,
    },
  },
  ValidateRequest: {
    oneOf: [
      { type: 'object', additionalProperties: false, required: ['path'], properties: { path: text } },
      {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'version'],
        properties: { name: text, version: text },
      },
    ],
  },
  RegistryEntry: {
    type: 'object',
    required: ['name', 'version', 'supported_pids', 'state', 'created_at', 'entry_point', 'generation'],
    properties: {
      name: text,
      version: text,
      supported_pids: listOf({ type: 'string' }),
      state: { enum: STATES },
      created_at: { type: 'string', format: 'date-time' },
      entry_point: { type: 'string' },
      generation: { enum: ['phased', 'execute-only'] },
    },
  },
  ActiveMapping: {
    type: 'object',
    required: ['pid', 'name', 'version', 'activated_at'],
    properties: {
      pid: { type: 'string' },
      name: text,
      version: text,
      activated_at: { type: 'string', format: 'date-time' },
    },
  },
  ValidationReport: {
    type: 'object',
    required: ['summary', 'checks'],
    properties: {
      summary: {
        type: 'object',
        required: ['status', 'passed', 'failed', 'skipped'],
        properties: {
          status: { enum: ['PASS', 'FAIL'] },
          passed: { type: 'integer' },
          failed: { type: 'integer' },
          skipped: { type: 'integer' },
        },
      },
      checks: listOf({
        type: 'object',
        required: ['name', 'result', 'message'],
        properties: {
          name: { type: 'string' },
          result: { enum: ['PASS', 'FAIL', 'SKIP'] },
          message: { type: 'string' },
        },
      }),
      error: ref('Problem'),
    },
  },
  Problem: {
    type: 'object',
    required: ['type', 'title', 'status', 'detail', 'code'],
    properties: {
      type: { type: 'string' },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string' },
      code: { type: 'string' },
      error_code: { type: 'string', description: 'Number of the specifications, such as 2001' },
      retryable: { type: 'boolean' },
    },
  },
};

/** The OpenAPI 3.1 document of the handler, with `basePath` as its server. */
export function openApiDocument(basePath: string): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'procvision-runner',
      version: '1',
      description: 'Deploys and runs inspection algorithms.',
    },
    servers: [{ url: basePath === '' ? '/' : basePath }],
    paths: PATHS,
    components: { schemas: SCHEMAS },
  };
}
