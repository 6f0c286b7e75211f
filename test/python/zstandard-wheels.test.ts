import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildPackage, buildWheel, type WheelSource } from '../../src/testing/index.js';
import type { Interpreter } from '../../src/python/types.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { environmentTree } from '../support/environment-report.js';
import type { ForgedEntry } from '../support/forge-zip.js';
import { packageFile } from '../support/package-file.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { wheelFolder } from '../support/wheels.js';
import { growingFrame, inZstandard, nodeReason, rawFrame, zstandardPython } from '../support/zstandard.js';

const tool: WheelSource = {
  name: 'tool',
  version: '1.0',
  files: {
    'tool/__init__.py': 'VALUE = 7\n',
    'tool/empty.txt': '',
    'tool/large.bin': Buffer.from('a line that comes again\n'.repeat(200_000)),
  },
};
const FILE = 'tool-1.0-py3-none-any.whl';

/** A folder of wheels with that one alone, compressed by Zstandard. */
async function compressedTool(bend?: (entry: ForgedEntry) => ForgedEntry) {
  const source = await wheelFolder([tool], 'tool\n');
  await writeFile(path.join(source.wheels, FILE), await inZstandard(await buildWheel(tool), bend));
  return source;
}

describe.skipIf(nodeReason !== undefined)(
  `wheels compressed by Zstandard (${nodeReason === undefined ? 'here' : `skipped: ${nodeReason}`})`,
  async () => {
    const manager = new VenvManager();
    const older = (await manager.interpreters()).find(({ readsZstandard }) => !readsZstandard);
    const newer = nodeReason === undefined ? await zstandardPython() : { reason: nodeReason };
    const newest = 'interpreter' in newer ? newer.interpreter : undefined;
    const told = 'reason' in newer ? `skipped: ${newer.reason}` : 'here';

    const installed = async (
      installer: 'pip' | 'link',
      interpreter: Interpreter | undefined,
      source: { wheels: string; requirements: string },
      wheelStore?: string,
    ) => {
      const folder = await temporaryFolder();
      const installing = new VenvManager({
        installer,
        wheelStore: wheelStore ?? path.join(folder, 'store'),
      });
      if (!interpreter) throw new Error('no such Python');
      const venv = await installing.create(path.join(folder, 'venv'), { interpreter });
      const report = await installing.install(venv, source);
      return { installing, venv, report };
    };

    test.skipIf(!older).each(['pip', 'link'] as const)(
      'a Python that cannot read them is named with the wheel and the remedy by %s',
      async (installer) => {
        await expect(installed(installer, older, await compressedTool())).rejects.toMatchObject({
          code: 'incompatible_python',
          message: expect.stringMatching(
            /entries of tool-1\.0-py3-none-any\.whl are compressed by Zstandard \(method 93\), which Python 3\.\d+.* cannot read\. Install Python 3\.14/,
          ) as string,
          details: { wheels: [{ file: FILE }] },
        });
      },
    );

    test.skipIf(!older)('inspect() says so before anything is written', async () => {
      const wheel = { file: FILE, bytes: await inZstandard(await buildWheel(tool)) };
      const file = await packageFile(await buildPackage({ wheels: [wheel], requirements: 'tool\n' }));
      const venvs = new VenvManager({ python: older?.path ?? '' });
      await expect(new PackageValidator({ smoke: false, venvs }).inspect(file)).rejects.toMatchObject({
        code: 'incompatible_python',
        message: expect.stringContaining(`entries of ${FILE} are compressed by Zstandard`) as string,
      });
    });

    describe.skipIf(!newest)(`with Python 3.14 (${told})`, () => {
      test('both installers give the tree of the deflated wheel, and it verifies', async () => {
        const source = await compressedTool();
        const plain = await installed('pip', newest, await wheelFolder([tool], 'tool\n'));
        const expected = await environmentTree(plain.venv);
        for (const installer of ['pip', 'link'] as const) {
          const { installing, venv, report } = await installed(installer, newest, source);
          expect(report.installer).toBe(installer);
          expect(await environmentTree(venv)).toEqual(expected);
          await installing.verify(venv);
        }
      });

      test.skipIf(!older)('an older Python is refused a wheel that a newer one has unpacked', async () => {
        const source = await compressedTool();
        const store = path.join(await temporaryFolder(), 'store');
        await installed('link', newest, source, store);
        await expect(installed('link', older, source, store)).rejects.toMatchObject({
          code: 'incompatible_python',
        });
      });

      test.each<[string, Partial<ForgedEntry>, RegExp]>([
        ['that grows past its size', { packed: growingFrame(2 ** 30) }, /more than the \d+ bytes declared/],
        ['with another content', { packed: rawFrame(Buffer.from('VALUE = 8\n')) }, /CRC-32 is/],
        [
          'with bytes after the frame',
          { packed: Buffer.concat([rawFrame(Buffer.from('VALUE = 7\n')), Buffer.from('more')]) },
          /end 4 bytes before they should/,
        ],
        [
          'that is cut off',
          { packed: rawFrame(Buffer.from('VALUE = 7\n')).subarray(0, -3) },
          /damaged|bytes, not/,
        ],
        ['that is no frame', { packed: Buffer.from('no frame at all') }, /compressed data are damaged/],
        ['with a window of 1 GiB', { packed: growingFrame(2 ** 18, 30) }, /compressed data are damaged/],
      ])('a file %s is refused by name', async (_, bent, message) => {
        const source = await compressedTool((entry) =>
          entry.name === 'tool/__init__.py' ? { ...entry, ...bent } : entry,
        );
        await expect(installed('link', newest, source)).rejects.toMatchObject({
          code: 'invalid_zip',
          message: expect.stringMatching(/"tool\/__init__\.py"/) as string,
        });
        await expect(installed('link', newest, source)).rejects.toThrow(message);
      });

      test('code that differs from its RECORD is refused', async () => {
        const changed = Buffer.from('VALUE = 8\n');
        const source = await compressedTool((entry) =>
          entry.name === 'tool/__init__.py' ? { ...entry, data: changed, packed: rawFrame(changed) } : entry,
        );
        await expect(installed('link', newest, source)).rejects.toThrow(/differs from its RECORD/);
        expect(await readFile(source.requirements, 'utf8')).toBe('tool\n');
      });
    });
  },
);
