import { readdir, readFile, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { generateSigningKeys, signPackage } from '../../src/package/integrity.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { ownTempDir } from '../support/own-temp-dir.js';
import { packageFile, wheelOf } from '../support/package-file.js';

const ours = generateSigningKeys();
const strict = new PackageValidator({ integrity: { mode: 'strict', publicKeys: [ours.publicKey] } });
const lenient = new PackageValidator({
  smoke: false,
  integrity: { mode: 'lenient', publicKeys: [ours.publicKey] },
});

async function signed(keys: { privateKey: string }, source: Parameters<typeof packageFile>[0] = {}) {
  const file = await packageFile(source);
  await signPackage(file, keys);
  return file;
}

describe('a package that is signed by no known key', () => {
  test('is refused for that before anything in it is looked at', async () => {
    const broken = await packageFile({
      manifest: { entry_point: 7 },
      requirements: '-i https://example.org\n',
    });
    await expect(strict.inspect(broken)).rejects.toMatchObject({
      code: 'invalid_zip',
      message: expect.stringContaining('is not signed') as string,
      details: { stage: 'integrity' },
    });
    await signPackage(broken, generateSigningKeys());
    await expect(strict.inspect(broken)).rejects.toMatchObject({
      message: expect.stringContaining('none of the 1 known') as string,
    });
  });

  test('fails its validation by that, with the other faults named, and nothing is unpacked', async () => {
    const file = await signed(generateSigningKeys(), { manifest: { entry_point: 7 } });
    const temp = await ownTempDir();
    const report = await strict.validate(file);
    expect(await readdir(temp)).toEqual([]);
    expect(report.error).toMatchObject({ code: 'invalid_zip', details: { stage: 'integrity' } });
    const failed = report.checks.filter(({ result }) => result === 'FAIL').map(({ name }) => name);
    expect(failed).toEqual(['manifest_fields', 'integrity']);
  });

  test('passes a lenient validation with a warning', async () => {
    const report = await lenient.validate(await signed(generateSigningKeys()));
    expect(report.summary.status).toBe('PASS');
    expect(report.warnings).toEqual([expect.stringContaining('none of the 1 known')]);
    expect((await lenient.inspect(await packageFile())).warnings).toEqual([
      expect.stringContaining('is not signed'),
    ]);
  });
});

test('a package signed by a known key is inspected, and refused once a byte of it was altered', async () => {
  const file = await signed(ours, { stored: true });
  expect(await strict.inspect(file)).toMatchObject({ name: 'sample', warnings: [] });
  const bytes = await readFile(file);
  const at = bytes.indexOf('"sample"');
  bytes.write('"sarple"', at);
  await writeFile(file, bytes);
  await expect(strict.inspect(file)).rejects.toMatchObject({ code: 'invalid_zip' });
});

test('a wheel that does not have the hash in the requirements is refused, or told in a lenient validation', async () => {
  const tool = await wheelOf({ name: 'tool', version: '1.0' });
  const source = {
    sdk: null,
    wheels: [tool],
    requirements: `tool==1.0 --hash=sha256:${'0'.repeat(64)}\n`,
  };
  const hashes = new PackageValidator({ integrity: { mode: 'strict' } });
  await expect(hashes.inspect(await packageFile(source))).rejects.toMatchObject({
    code: 'invalid_zip',
    message: expect.stringMatching(/tool-1\.0-py3-none-any\.whl has the SHA-256 [0-9a-f]{64}, but/) as string,
  });
  const { warnings } = await lenient.inspect(await packageFile(source));
  expect(warnings).toContainEqual(expect.stringContaining('has the SHA-256'));
});

test('a key that is none and a mode that is none are refused by the constructor', () => {
  expect(() => new PackageValidator({ integrity: { mode: 'strict', publicKeys: ['key'] } })).toThrow(
    expect.objectContaining({ code: 'invalid_params' }),
  );
  const mode = 'Strict' as 'strict';
  expect(() => new PackageValidator({ integrity: { mode } })).toThrow(
    expect.objectContaining({ code: 'invalid_params' }),
  );
});
