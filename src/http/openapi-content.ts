import { answered, ANSWERS, responses } from './openapi-answers.js';
import { EXAMPLES, listOf, object, STRING, text, type Json } from './openapi-parts.js';

const digest = (name: string, example: string, description: string): Json => ({
  ...{ name, in: 'path', required: true, description },
  schema: text(example.repeat(64)),
});
const header = (name: string, description: string): Json => ({
  ...{ name, in: 'header', required: false, schema: STRING, description },
});
const VALIDATOR: Json = { ETag: { description: 'The digest in quotes', schema: STRING } };
const KNOWN: Json = { '304': { description: 'The client has it already' } };
const get = (operationId: string, summary: string, more: Json): Json => ({
  get: { operationId, summary, tags: ['operating'], ...more },
});

/** The endpoints by which other stations get packages. */
export const CONTENT_PATHS: Json = {
  '/content/index.json': get('contentIndex', 'The packages that can be fetched from here', {
    responses: answered(
      '200',
      'The packages that the store has whole',
      listOf(
        object({
          ...{ name: text(EXAMPLES.name), version: text(EXAMPLES.version), digest: STRING },
          size_bytes: ANSWERS.count,
        }),
      ),
      [501],
    ),
  }),
  '/content/packages/{digest}': get('contentManifest', 'What a package is made of', {
    parameters: [
      digest('digest', '0', 'Canonical digest of the package: 64 lower-case hex digits'),
      header('If-None-Match', 'The digest in quotes, where the client has it'),
    ],
    responses: {
      ...KNOWN,
      ...responses(
        '200',
        'A line for each entry: SHA-256, size, name; then an empty line, the signature, and which files are executable',
        { headers: VALIDATOR, content: { 'text/plain': { schema: STRING } } },
        [404, 501],
      ),
    },
  }),
  '/content/blobs/{sha256}': get('contentBlob', 'The content of an entry of a package', {
    parameters: [
      digest('sha256', '1', 'Of the content: 64 lower-case hex digits'),
      header('Range', 'Such as `bytes=1000-`: one range'),
      header('If-Range', 'The digest in quotes: the range counts only for this content'),
      header('If-None-Match', 'The digest in quotes, where the client has it'),
    ],
    responses: {
      ...KNOWN,
      '206': {
        description: 'The part that was asked for',
        headers: { ...VALIDATOR, 'Content-Range': { description: 'Which part', schema: STRING } },
        content: { 'application/octet-stream': {} },
      },
      '416': {
        description: 'It has no such byte',
        headers: { 'Content-Range': { description: 'How many it has', schema: STRING } },
      },
      ...responses(
        '200',
        'All of it. It breaks off before its end where it is not what the digest says',
        { headers: VALIDATOR, content: { 'application/octet-stream': {} } },
        [404, 429, 501],
      ),
    },
  }),
};
