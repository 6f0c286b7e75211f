import { EXAMPLES, listOf, NAME_ENCODING, ref, text, type Json } from './openapi-parts.js';
import { SCHEMAS } from './openapi-schemas.js';
import { PACKAGE_STATES } from './query.js';

const json = (schema: Json): Json => ({ 'application/json': { schema } });

/** Raw bytes have no schema in 3.1: the media type says it all. */
const UPLOAD: Json = {
  'application/zip': {},
  'application/octet-stream': {},
  'application/x-zip-compressed': {},
  'multipart/form-data': {
    schema: {
      type: 'object',
      required: ['file'],
      properties: { file: { type: 'string', contentMediaType: 'application/zip' } },
    },
  },
};

const PROBLEM: Json = {
  description: 'A failure, named by its code (RFC 9457)',
  content: { 'application/problem+json': { schema: ref('Problem') } },
};

/** Events of an install; their data is JSON. */
const EVENTS: Json = {
  'text/event-stream': {
    schema: { type: 'string' },
    'x-events': {
      stage: ref('StageEvent'),
      progress: ref('ProgressEvent'),
      check: ref('CheckEvent'),
      installed: ref('RegistryEntry'),
      failed: ref('Problem'),
    },
  },
};

/** The answer when all goes well, and a problem document for everything else. */
function responses(status: string, description: string, more: Json = {}): Json {
  return { [status]: { description, ...more }, default: PROBLEM };
}

const answered = (status: string, description: string, schema: Json): Json =>
  responses(status, description, { content: json(schema) });

function query(name: string, schema: Json, description: string): Json {
  return { name, in: 'query', required: false, schema, description };
}

const FORCE = query('force', { type: 'boolean', default: false }, 'Do it although a rule of safety refuses');
const OPERATOR = query('operator', text('eve'), 'Who does it, for the audit log');
const ENCODING = query('nameEncoding', NAME_ENCODING, NAME_ENCODING.description);
const UPWARDS = 'Not with .. between slashes, encoded or not: that is refused';
const VERSION_PATH: Json[] = [
  { name: 'name', in: 'path', required: true, schema: text(EXAMPLES.name), description: UPWARDS },
  { name: 'version', in: 'path', required: true, schema: text(EXAMPLES.version), description: UPWARDS },
];

const PATHS: Json = {
  '/openapi.json': {
    get: {
      operationId: 'describe',
      summary: 'This document',
      responses: answered('200', 'OpenAPI 3.1', { type: 'object', required: ['openapi', 'info', 'paths'] }),
    },
  },
  '/algorithms': {
    get: {
      operationId: 'list',
      summary: 'Deployed versions',
      parameters: [
        query('state', { enum: PACKAGE_STATES }, 'Only those in this state'),
        query('name', text(EXAMPLES.name), 'Only versions of this package'),
      ],
      responses: answered('200', 'The versions', listOf(ref('RegistryEntry'))),
    },
  },
  '/algorithms/active': {
    get: {
      operationId: 'listActive',
      summary: 'Which version serves which product id',
      responses: answered('200', 'The mappings, by product id', {
        type: 'object',
        additionalProperties: ref('ActiveMapping'),
      }),
    },
  },
  '/algorithms/install': {
    post: {
      operationId: 'install',
      summary: 'Deploy a package: a path inside zips/, or the package itself',
      description:
        'With `Accept: text/event-stream` the answer is a stream of the events in `x-events`: `stage`, `progress` and ' +
        '`check`, and at last `installed` or `failed`. A client that closes the stream aborts the install. ' +
        'A parameter that query and body both give must be the same in both.',
      parameters: [FORCE, OPERATOR, ENCODING],
      requestBody: { required: true, content: { ...json(ref('InstallRequest')), ...UPLOAD } },
      responses: {
        '200': { description: 'Its progress, when that is asked for', content: EVENTS },
        ...responses('201', 'Deployed', {
          headers: {
            Location: { description: 'Where the version is', required: true, schema: { type: 'string' } },
          },
          content: json(ref('RegistryEntry')),
        }),
      },
    },
  },
  '/algorithms/activate': {
    post: {
      operationId: 'activate',
      summary: 'Bind product ids to a version, all or none',
      requestBody: { required: true, content: json(ref('ActivateRequest')) },
      responses: answered('200', 'The mappings', listOf(ref('ActiveMapping'))),
    },
  },
  '/algorithms/deactivate': {
    post: {
      operationId: 'deactivate',
      summary: 'Unbind product ids, all or none',
      requestBody: { required: true, content: json(ref('DeactivateRequest')) },
      responses: responses('204', 'Unbound'),
    },
  },
  '/algorithms/switch': {
    post: {
      operationId: 'switch',
      summary: 'Move product ids to another version without losing a call',
      requestBody: { required: true, content: json(ref('SwitchRequest')) },
      responses: answered('200', 'The mappings', listOf(ref('ActiveMapping'))),
    },
  },
  '/algorithms/validate': {
    post: {
      operationId: 'validate',
      summary: 'Check a path inside zips/, an upload, or a deployed version',
      parameters: [ENCODING],
      requestBody: { required: true, content: { ...json(ref('ValidateRequest')), ...UPLOAD } },
      responses: answered('200', 'The report, of a good or a bad package', ref('ValidationReport')),
    },
  },
  '/algorithms/{name}/{version}': {
    get: {
      operationId: 'get',
      summary: 'One deployed version',
      parameters: VERSION_PATH,
      responses: answered('200', 'The version', ref('RegistryEntry')),
    },
    delete: {
      operationId: 'uninstall',
      summary: 'Remove a version',
      parameters: [...VERSION_PATH, FORCE, OPERATOR],
      responses: responses('204', 'Removed'),
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
      description: 'Deploys offline inspection algorithms and tells which version serves which product id.',
    },
    servers: [{ url: basePath === '' ? '/' : basePath }],
    paths: PATHS,
    components: { schemas: SCHEMAS },
  };
}
