import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { repositoryFile } from '../../support/run-script.js';

/**
 * What the platform expects, sentence by sentence, and the tests that hold each: a file, and words of its title. Words of the sentence
 * come first, so that a sentence that is changed or added has no row.
 */
const ROWS: readonly [begin: string, ...tests: [file: string, title: string][]][] = [
  [
    'Facts from the older runner specification',
    ['test/outbox/outbox.test.ts', 'a verdict that was recorded is due'],
  ],
  [
    'Collected: structured logs, pictures of NG verdicts',
    ['test/supervisor/outbox.test.ts', 'each verdict is in it'],
    ['test/supervisor/outbox.test.ts', 'pictures are made from the pixels'],
  ],
  [
    'A persistent queue on the station',
    ['test/outbox/delivery/killed.test.ts', 'a station that is killed at random'],
  ],
  ['exponential backoff', ['test/outbox/delivery/small-parts.test.ts', 'doubles with each failure']],
  [
    'bounds of records and bytes',
    ['test/outbox/outbox.test.ts', 'past the bound the least important is given up first'],
  ],
  [
    'pictures and logs do not block each other',
    ['test/outbox/delivery/delivery.test.ts', 'pictures do not wait for logs that hang'],
    ['test/outbox/delivery/delivery.test.ts', 'logs do not wait for a picture that hangs'],
  ],
  [
    'Health and alarms before business records before diagnostics',
    ['test/outbox/delivery/delivery.test.ts', 'health and alarms go before business records'],
  ],
  ['Logs: `POST /v1/logs/batch`', ['test/outbox/delivery/platform.test.ts', 'a batch is a JSON array']],
  [
    'a batch closes at 100 records, 1 s or 256 KB',
    ['test/outbox/delivery/delivery.test.ts', 'in full batches'],
    ['test/outbox/delivery/delivery.test.ts', 'closed after a second'],
    ['test/outbox/delivery/delivery.test.ts', 'closed at 256 KB'],
  ],
  ['answer `{status: "OK"}`', ['test/outbox/delivery/platform.test.ts', 'an answer that is no OK']],
  [
    'Pictures: `POST /v1/artifacts/presign`',
    [
      'test/outbox/delivery/platform.test.ts',
      'presign, PUT with the given headers, and the commit after the upload',
    ],
  ],
  [
    'A picture through the API itself is the fallback',
    ['test/outbox/delivery/platform.test.ts', 'through the API itself for a platform'],
  ],
  [
    'Idempotent by `ingest_id',
    ['test/outbox/delivery/delivery.test.ts', 'none lost, none doubled, the order kept'],
  ],
  [
    '(two verdicts of one step in one millisecond need a suffix)',
    ['test/outbox/outbox.test.ts', 'two verdicts of one step in one millisecond have two ids'],
  ],
  ['Record: `timestamp_ms, workstation_id', ['test/support/outbox/platform.ts', 'VERDICT_FIELDS']],
  ['Artefact: `artifact_id, session_id', ['test/support/outbox/platform.ts', 'ARTIFACT_FIELDS']],
  [
    'TLS throughout, a token or client certificates',
    ['test/outbox/delivery/platform.test.ts', 'a client certificate is shown where it is demanded'],
    ['test/outbox/delivery/platform.test.ts', 'a new token in the file is in force'],
  ],
  ['limits of bandwidth', ['test/outbox/delivery/delivery.test.ts', 'the limit of bandwidth holds']],
  [
    'privacy: metadata of pictures removed, cut-outs and thumbnails by rule',
    ['test/outbox/pictures.test.ts', 'comes out upright, without metadata'],
    ['test/outbox/pictures.test.ts', 'each defect of an NG verdict is cut out'],
  ],
  [
    'access is audited',
    ['test/http/outbox.test.ts', 'authorize is asked for outbox, deliver and export'],
    ['test/http/outbox.test.ts', 'who paused, resumed, retried and exported it is in the audit log'],
  ],
  [
    'A person at the station sees',
    ['test/http/outbox.test.ts', 'is paused, looked at, resumed and retried'],
    ['test/http/outbox.test.ts', 'an export writes to a folder'],
    ['test/http/page.test.ts', 'a place for each operation'],
  ],
  [
    'Settings change while it runs',
    ['test/outbox/delivery/delivery.test.ts', 'other settings are in force at once'],
  ],
  [
    'Guarantees asked: logs at least once with idempotence at the centre',
    ['test/outbox/delivery/platform.test.ts', 'an answer that is lost after storing'],
  ],
  [
    'artefacts checked by part and indexed in one commit',
    ['test/outbox/delivery/s3-bucket.test.ts', 'a large picture goes in parts'],
    ['test/outbox/delivery/delivery.test.ts', 'damaged or lost on the disk'],
  ],
  [
    'past a threshold degrade (short logs, thumbnails) and fill in later',
    ['test/outbox/delivery/delivery.test.ts', 'past the threshold small pictures go before whole ones'],
    ['test/outbox/delivery/delivery.test.ts', 'past the threshold thumbnails go before whole pictures'],
  ],
  [
    'Storage on the platform is MinIO with presigned URLs',
    ['test/outbox/delivery/s3-bucket.test.ts', 'a batch is an object of JSON lines'],
  ],
  [
    'There is no WebSocket anywhere in the platform',
    ['test/outbox/delivery/platform.test.ts', 'a platform that never answers'],
  ],
];

const shared = repositoryFile('../shared/UPLINK.md');

test.skipIf(!existsSync(shared))(
  'each sentence of what the platform expects has its row (skipped where ../shared/UPLINK.md is absent)',
  () => {
    const flat = readFileSync(shared, 'utf8').replace(/\s+/g, ' ');
    for (const [begin] of ROWS) expect(flat).toContain(begin);
    // Each bullet and each part of it between full stops has a row that begins in it.
    const parts = flat
      .replace(/^# .*? Facts/, 'Facts')
      .split(/(?: - |(?<=[a-z`)}])\. )/)
      .filter((part) => part.trim() !== '');
    const without = parts.filter((part) => !ROWS.some(([begin]) => part.includes(begin.slice(0, 24))));
    expect(without).toEqual([]);
  },
);

const tests = ROWS.flatMap(([begin, ...held]) => held.map(([file, title]) => [begin, file, title] as const));

test.each(tests)('%s: %s has the test "%s"', (_, file, title) => {
  const place = repositoryFile(file);
  expect(existsSync(place)).toBe(true);
  expect(readFileSync(place, 'utf8')).toContain(title);
});
