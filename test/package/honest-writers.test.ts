import { randomBytes } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openArchive } from '../../src/package/archive.js';
import { contentOf, listingOf, WRITERS, type PackedFile } from '../support/honest-writers.js';
import { temporaryFolder } from '../support/temp-folder.js';

const FILES: readonly PackedFile[] = [
  { name: 'run.sh', data: Buffer.from('#!/bin/sh\nexit 0\n'), mode: 0o755 },
  { name: 'sub/a.txt', data: Buffer.from('some text\n'.repeat(100)), mode: 0o644 },
  { name: 'sub/empty', data: Buffer.alloc(0), mode: 0o644 },
  { name: 'sub/板卡 ü.bin', data: randomBytes(1_000), mode: 0o644 },
  { name: 'many.bin', data: Buffer.concat([randomBytes(300_000), Buffer.alloc(1_000_000)]), mode: 0o644 },
];

async function treeOfFiles(): Promise<{ folder: string; tree: string }> {
  const folder = await temporaryFolder();
  const tree = path.join(folder, 'tree');
  await mkdir(path.join(tree, 'sub'), { recursive: true });
  for (const { name, data, mode } of FILES) await writeFile(path.join(tree, name), data, { mode });
  return { folder, tree };
}

describe('what an honest writer packs is unpacked as the same tree:', () => {
  for (const writer of WRITERS) {
    const reason = writer.missing === undefined ? '' : ` (skipped: ${writer.missing})`;
    test.skipIf(writer.missing !== undefined)(`${writer.name}${reason}`, async () => {
      const { folder, tree } = await treeOfFiles();
      const out = path.join(folder, 'out.zip');
      await writer.write(tree, FILES, out);
      await using archive = await openArchive(out);
      expect(archive.nameDoubt).toBeUndefined();
      const target = path.join(folder, 'unpacked');
      expect((await archive.extract(target)).files).toBe(FILES.length);
      expect((await readdir(target, { recursive: true })).sort()).toEqual(
        (await readdir(tree, { recursive: true })).sort(),
      );
      const expected = FILES.map((file) => ({ ...file, mode: writer.keepsModes ? file.mode : 0o644 }));
      expect(listingOf(await contentOf(target, FILES))).toEqual(listingOf(expected));
    });
  }
});
