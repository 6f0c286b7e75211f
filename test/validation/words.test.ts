import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parseRequirements } from '../../src/package/requirements.js';
import { readRequirements } from '../../src/python/pip/requirements-file.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { packageFile, wheelOf } from '../support/package-file.js';
import { wheelFolder } from '../support/wheels.js';

const validator = new PackageValidator({ smoke: false });
const posix = process.platform !== 'win32';

async function refused(tag: string, more: { requiresPython?: string } = {}) {
  const wheel = await wheelOf({ name: 'lens', version: '1.0', tag, ...more });
  const file = await packageFile({ wheels: [wheel], requirements: 'procvision_algorithm_sdk\nlens\n' });
  const error: unknown = await validator.inspect(file).catch((reason: unknown) => reason);
  return error as Error & { details: { wheels: { tags: string[] }[] } };
}

describe('a package that no interpreter here takes is told in a few lines, with what to do:', () => {
  test.skipIf(!posix)('wheels for Windows', async () => {
    const error = await refused('cp311-cp311-win_amd64');
    expect(error).toMatchObject({
      code: 'incompatible_python',
      message: expect.stringMatching(
        /lens-1\.0-cp311-cp311-win_amd64\.whl.*packed for Windows, and this is \w+: pack it again with -w manylinux_2_28_\w+/s,
      ) as string,
    });
    expect(error.message.split('\n').length).toBeLessThanOrEqual(10);
    expect(error.message).not.toContain('cp311-cp311-win_amd64,');
    // Tags are in the details; what an uncaught error prints has a few of them.
    expect(error.details.wheels[0]?.tags).toEqual(['cp311-cp311-win_amd64']);
    expect(inspect(error).split('\n').length).toBeLessThan(60);
  });

  test.skipIf(posix)('on Windows, wheels for Linux', async () => {
    const error = await refused('cp311-cp311-manylinux_2_17_x86_64');
    expect(error).toMatchObject({
      code: 'incompatible_python',
      message: expect.stringMatching(
        /packed for Linux, and this is Windows: pack it again with -w win_amd64/,
      ) as string,
    });
  });

  test.each([
    ['cp27-cp27mu', 'CPython 2.7'],
    ['cp399-abi3', 'CPython 3.99 or later'],
    ['cp313-cp313t', 'free-threaded CPython 3.13'],
    ['cp315-abi3t', 'free-threaded CPython 3.15 or later'],
  ])('wheels of a Python that is not here: %s', async (abi, python) => {
    const linux = `manylinux_2_17_${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}`;
    const error = await refused(`${abi}-${posix ? linux : 'win_amd64'}`);
    expect(error.message).toContain(
      `The wheels are for ${python}: install it, or pack the package for a Python of this machine`,
    );
  });

  test('wheels whose METADATA asks for another Python', async () => {
    const error = await refused('py3-none-any', { requiresPython: '>=4.1' });
    expect(error.message).toMatch(/The wheels ask for Python >=4\.1: install such a Python, or pack/);
  });
});

describe('a requirement that refers to a wheel on its maker’s disk, as pip freeze writes it,', () => {
  const HASH = 'a'.repeat(64);
  const line = `Lens[fast] @ file:///C:/Users/me/wheels/lens-1.0%2Bcu118-py3-none-any.whl#sha256=${HASH} ; python_version > "3"`;

  test('asks for that version, and keeps the hash', () => {
    const { requirements, refused } = parseRequirements(line);
    expect(refused).toEqual([]);
    expect(requirements).toMatchObject([
      { name: 'lens', extras: ['fast'], specifier: '==1.0+cu118', hashes: [HASH], line: 1 },
    ]);
  });

  test('is installed from the wheel that is there, and missed where it is not', async () => {
    const lens = await wheelOf({ name: 'lens', version: '1.0' });
    const requirements = `procvision_algorithm_sdk\nlens @ file:///home/me/${lens.file}#sha256=${HASH}\n`;
    await validator.inspect(await packageFile({ wheels: [lens], requirements }));
    await expect(validator.inspect(await packageFile({ requirements }))).rejects.toMatchObject({
      code: 'wheels_missing',
    });
    const folder = await wheelFolder([{ name: 'lens', version: '1.0' }], requirements);
    expect((await readRequirements(folder.requirements)).requirements).toMatchObject([
      { name: 'procvision-algorithm-sdk', specifier: '' },
      { name: 'lens', specifier: '==1.0', wheel: lens.file, hashes: [HASH] },
    ]);
  });

  test.each([
    ['a wheel of another project', `lens @ file:///home/me/evil-1.0-py3-none-any.whl#sha256=${HASH}`],
    ['a wheel without its hash', 'lens @ file:///home/me/lens-1.0-py3-none-any.whl'],
    ['a folder', 'lens @ file:///home/me/lens'],
    ['an address', `lens @ https://example.org/lens-1.0-py3-none-any.whl#sha256=${HASH}`],
    ['an archive of sources', `lens @ file:///home/me/lens-1.0.tar.gz#sha256=${HASH}`],
  ])('but not to %s', (_, text) => {
    expect(parseRequirements(text).refused).toHaveLength(1);
  });
});

describe('what is odd about the wheels of a package and no fault is a warning:', () => {
  const warningsOf = async (wheels: Awaited<ReturnType<typeof wheelOf>>[], requirements: string) =>
    (await validator.inspect(await packageFile({ wheels, requirements }))).warnings.join('\n');

  test('a wheel that pip passes over for a requirement that cannot be read', async () => {
    const wheels = await Promise.all([
      wheelOf({ name: 'lens', version: '1.0' }),
      wheelOf({ name: 'lens', version: '2.0', requires: ['base>=5.1.*'] }),
    ]);
    expect(await warningsOf(wheels, 'procvision_algorithm_sdk\nlens\n')).toMatch(
      /lens-2\.0-py3-none-any\.whl is passed over, as pip does: its requirement "base>=5\.1\.\*"/,
    );
  });

  test('files that two wheels own, with the wheel that wins', async () => {
    const kind = (name: string, text: string) =>
      wheelOf({
        name,
        version: '1.0',
        files: { 'lens/kind.py': text, 'lens/same.py': '', 'lens/size.py': text },
      });
    const wheels = [await kind('lens_full', 'FULL = 1'), await kind('lens_headless', 'FULL = 0')];
    expect(await warningsOf(wheels, 'procvision_algorithm_sdk\nlens-full\nlens-headless\n')).toContain(
      'lens/kind.py and 1 more files are in lens_full-1.0-py3-none-any.whl and in lens_headless-1.0-py3-none-any.whl: ' +
        'what is installed is that of lens_full-1.0-py3-none-any.whl, as with pip',
    );
    expect(await warningsOf(wheels, 'procvision_algorithm_sdk\nlens-full\n')).not.toContain('lens/kind.py');
  });

  test('a variant of a wheel, which pip takes for none', async () => {
    const lens = await wheelOf({ name: 'lens', version: '1.0' });
    const variant = { ...lens, file: lens.file.replace('.whl', '-x86_64_v3.whl') };
    expect(await warningsOf([lens, variant], 'procvision_algorithm_sdk\nlens\n')).toMatch(
      /lens-1\.0-py3-none-any-x86_64_v3\.whl is a variant of a wheel \(PEP 825\)/,
    );
    await expect(warningsOf([variant], 'procvision_algorithm_sdk\nlens\n')).rejects.toMatchObject({
      code: 'wheels_missing',
    });
  });
});

test('versions that do not go together are refused at inspection, with who asks for what', async () => {
  const wheels = await Promise.all([
    wheelOf({ name: 'lens', version: '1.0' }),
    wheelOf({ name: 'lens', version: '2.0' }),
    wheelOf({ name: 'base', version: '1.0', requires: ['lens<2'] }),
  ]);
  const requirements = 'procvision_algorithm_sdk\nbase\nlens>=2\n';
  await expect(validator.inspect(await packageFile({ wheels, requirements }))).rejects.toMatchObject({
    code: 'install_failed',
    message: expect.stringMatching(
      /do not go together: .*base-1\.0-py3-none-any\.whl asks for lens<2/,
    ) as string,
  });
});
