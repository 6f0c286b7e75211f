import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { RunnerError } from '../../src/errors.js';
import { openArchive } from '../../src/package/archive.js';
import { BAD_ARCHIVES, BAD_CONTENTS, type BadArchive } from '../support/bad-archives.js';
import { folderState } from '../support/folder-state.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** A folder with something in it beside the place where the archive would be unpacked. */
async function scene(bad: BadArchive) {
  const folder = await temporaryFolder();
  const file = path.join(folder, 'package.zip');
  const store = path.join(folder, 'store');
  await mkdir(path.join(store, 'deployed'), { recursive: true });
  await writeFile(path.join(store, 'registry.json'), '[]');
  await writeFile(file, bad.bytes());
  return { folder, file, target: path.join(store, 'deployed', 'new') };
}

async function refusal(work: Promise<unknown>): Promise<RunnerError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!RunnerError.is(error, 'invalid_zip')) {
    throw new Error('expected invalid_zip', { cause: error });
  }
  return error;
}

function expectNames(error: RunnerError, file: string, bad: BadArchive): void {
  expect(error.errorCode).toBe('2001');
  expect(error.message).toMatch(bad.fault);
  expect(error.message.startsWith(file)).toBe(true);
  // A sentence for the fault, and one for the remedy.
  expect(error.message).toMatch(/\. [A-Z]/);
  expect(error.message.slice(file.length)).not.toMatch(/: (is|has|unpacks|overlaps|runs) /);
  if (bad.entry !== undefined) expect(error.message).toContain(`entry "${bad.entry}"`);
  expect(error.message.slice(file.length)).not.toMatch(/[\p{Cc}\u2028-\u202e]/u);
}

test('the corpus has at least 60 archives, each with a title of its own', () => {
  const titles = [...BAD_ARCHIVES, ...BAD_CONTENTS].map(({ title }) => title);
  expect(titles.length).toBeGreaterThanOrEqual(60);
  expect(new Set(titles).size).toBe(titles.length);
});

describe('opening refuses with invalid_zip and touches nothing', () => {
  test.each(BAD_ARCHIVES)('$title', async (bad) => {
    const { folder, file } = await scene(bad);
    const before = await folderState(folder);
    expectNames(await refusal(openArchive(file)), file, bad);
    expect(await folderState(folder)).toEqual(before);
  });
});

describe('unpacking refuses with invalid_zip and removes what it wrote', () => {
  test.each(BAD_CONTENTS)('$title', async (bad) => {
    const { folder, file, target } = await scene(bad);
    const before = await folderState(folder);
    await using archive = await openArchive(file);
    expectNames(await refusal(archive.extract(target)), file, bad);
    expect(await folderState(folder)).toEqual(before);
    const entry = archive.entries.at(-1);
    if (!entry) throw new Error('the archive has no entries');
    expectNames(await refusal(archive.read(entry, { maxBytes: 10_000_000 })), file, bad);
  });
});
