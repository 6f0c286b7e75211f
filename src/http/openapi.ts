import { answered, json, noContent, PROBLEM_RESPONSES, query, responses } from './openapi-answers.js';
import { CONTENT_PATHS } from './openapi-content.js';
import { DESCRIPTIONS } from './openapi-descriptions.js';
import { FLEET_PATHS, FLEET_SCHEMAS } from './openapi-fleet.js';
import { OUTBOX_PATHS, OUTBOX_SCHEMAS } from './openapi-outbox.js';
import { OPERATING_PATHS } from './openapi-operating.js';
import { EXAMPLES, listOf, NAME_ENCODING, object, ref, STRING, text, type Json } from './openapi-parts.js';
import { policyRequest } from './openapi-requests.js';
import { SCHEMAS } from './openapi-schemas.js';
import { PACKAGE_STATES } from './query.js';

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

/** Events of an install; their data is JSON. */
const EVENTS: Json = {
  'text/event-stream': {
    schema: {
      type: 'string',
      contentMediaType: 'application/json',
      contentSchema: {
        description: 'Data of one event',
        anyOf: ['StageEvent', 'ProgressEvent', 'CheckEvent', 'RegistryEntry', 'Problem'].map(ref),
      },
    },
    'x-events': {
      stage: ref('StageEvent'),
      progress: ref('ProgressEvent'),
      check: ref('CheckEvent'),
      installed: ref('RegistryEntry'),
      failed: ref('Problem'),
    },
  },
};

const FORCE = query('force', { type: 'boolean', default: false }, 'Do it although a rule of safety refuses');
const ALSO = query(
  'alsoRollbackTargets',
  { type: 'boolean', default: false },
  'Also a version that a rollback would go back to',
);
const DRY_RUN = query('dryRun', { type: 'boolean', default: false }, 'Only say whether it could be removed');
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
      tags: ['deploying'],
      summary: 'This document',
      responses: answered(
        '200',
        'OpenAPI 3.1',
        object({ openapi: STRING, info: { type: 'object' }, paths: { type: 'object' } }),
      ),
    },
  },
  '/algorithms': {
    get: {
      operationId: 'list',
      tags: ['deploying'],
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
      tags: ['deploying'],
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
      tags: ['deploying'],
      summary: 'Deploy a package: a path inside zips/, or the package itself',
      description:
        'With `Accept: text/event-stream` the answer is a stream of the events in `x-events`: `stage`, `progress` and ' +
        '`check`, and at last `installed` or `failed`. A client that closes the stream aborts the install. ' +
        'A parameter that query and body both give must be the same in both.',
      parameters: [FORCE, OPERATOR, ENCODING],
      requestBody: { required: true, content: { ...json(ref('InstallRequest')), ...UPLOAD } },
      responses: {
        '200': { description: 'Its progress, when that is asked for', content: EVENTS },
        ...responses(
          '201',
          'Deployed',
          {
            headers: {
              Location: { description: 'Where the version is', required: true, schema: { type: 'string' } },
            },
            content: json(ref('RegistryEntry')),
          },
          [404, 408, 409, 413, 415, 422, 503, 507],
        ),
      },
    },
  },
  '/algorithms/activate': {
    post: {
      operationId: 'activate',
      tags: ['deploying'],
      summary: 'Bind product ids to a version, all or none',
      requestBody: { required: true, content: json(ref('ActivateRequest')) },
      responses: answered(
        '200',
        'The mappings',
        listOf(ref('ActiveMapping')),
        [404, 409, 413, 415, 422, 503],
      ),
    },
  },
  '/algorithms/deactivate': {
    post: {
      operationId: 'deactivate',
      tags: ['deploying'],
      summary: 'Unbind product ids, all or none',
      requestBody: { required: true, content: json(ref('DeactivateRequest')) },
      responses: noContent('Unbound', [404, 413, 415, 503]),
    },
  },
  '/algorithms/switch': {
    post: {
      operationId: 'switch',
      tags: ['deploying'],
      summary: 'Move product ids to another version without losing a call',
      requestBody: { required: true, content: json(ref('SwitchRequest')) },
      responses: answered(
        '200',
        'The mappings',
        listOf(ref('ActiveMapping')),
        [404, 409, 413, 415, 422, 502, 503, 504],
      ),
    },
  },
  '/algorithms/validate': {
    post: {
      operationId: 'validate',
      tags: ['deploying'],
      summary: 'Check a path inside zips/, an upload, or a deployed version',
      parameters: [ENCODING],
      requestBody: { required: true, content: { ...json(ref('ValidateRequest')), ...UPLOAD } },
      responses: answered(
        '200',
        'The report, of a good or a bad package',
        ref('ValidationReport'),
        [404, 408, 413, 415, 501, 503],
      ),
    },
  },
  '/algorithms/{name}/{version}': {
    get: {
      operationId: 'get',
      tags: ['deploying'],
      summary: 'One deployed version',
      parameters: VERSION_PATH,
      responses: answered('200', 'The version', ref('RegistryEntry'), [404]),
    },
    delete: {
      operationId: 'uninstall',
      tags: ['deploying'],
      summary: 'Remove a version',
      parameters: [...VERSION_PATH, FORCE, ALSO, DRY_RUN, OPERATOR],
      responses: noContent('Removed', [404, 409, 503]),
    },
  },
};

/** Adds to each operation what there is to know of it. */
function described(paths: Json): Json {
  const operation = (given: Json): Json => ({
    description: DESCRIPTIONS[given.operationId as string],
    ...given,
  });
  const operations = (path: Json) =>
    Object.fromEntries(Object.entries(path).map(([method, given]) => [method, operation(given as Json)]));
  return Object.fromEntries(Object.entries(paths).map(([path, given]) => [path, operations(given as Json)]));
}

/**
 * The OpenAPI 3.1 document of the handler, with `basePath` as its server.
 *
 * @param parameters - schemas of the parameters of what is active, by name
 */
export function openApiDocument(basePath: string, parameters: Json = {}): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'procvision-runner',
      version: '1',
      description:
        'Deploys offline inspection algorithms, runs them, inspects pictures, and tells which version serves which product id.',
      contact: { name: 'procvision-runner', url: 'https://github.com/procvision-runner/procvision-runner' },
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: basePath === '' ? '/' : basePath, description: 'Where this document was read' }],
    security: [{ token: [] }],
    tags: [
      { name: 'deploying', description: 'Packages and versions' },
      { name: 'inspecting', description: 'Pictures in, results out' },
      { name: 'inference', description: 'Open Inference Protocol, version 2' },
      { name: 'operating', description: 'Workers, health, events, logs and metrics' },
    ],
    paths: described({ ...PATHS, ...OPERATING_PATHS, ...CONTENT_PATHS, ...FLEET_PATHS, ...OUTBOX_PATHS }),
    components: {
      schemas: {
        ...SCHEMAS,
        ...FLEET_SCHEMAS,
        ...OUTBOX_SCHEMAS,
        PolicyRequest: policyRequest(),
        ...parameters,
      },
      responses: PROBLEM_RESPONSES,
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'As the host of the handler checks it' },
      },
    },
  };
}
