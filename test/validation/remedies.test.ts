import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { buildPackage, TemporaryStore } from '../../src/testing/index.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { packageFile } from '../support/package-file.js';
import type { Given } from '../support/refused-packages/makings.js';
import { REFUSED } from '../support/refused-packages/table.js';
import { temporaryFolder } from '../support/temp-folder.js';

const opened = async ({ bytes, options }: Given): Promise<{ file: string; validator: PackageValidator }> => {
  const validator = new PackageValidator({ smoke: false, ...options });
  return { file: await packageFile(bytes), validator };
};

describe('what the message of a package that is refused says to do, done:', () => {
  test.each(REFUSED)('%s', async (_, code, message, given, done) => {
    const { file, validator } = await opened(await given());
    const refused = { code, message: expect.stringMatching(message) as string };
    await expect(validator.inspect(file)).rejects.toMatchObject(refused);
    const report = await validator.validate(file);
    expect(report.error).toMatchObject(refused);
    expect(report.checks.filter(({ result }) => result === 'FAIL')).toHaveLength(1);
    const mended = await opened(await done());
    await mended.validator.inspect(mended.file);
  });
});

describe('what the message of an install that is refused says to do, done:', () => {
  test('a version that is there already is replaced by force, or gets another number', async () => {
    const store = await TemporaryStore.open();
    onTestFinished(() => store.close());
    const deployer = store.deployer({ validator: new PackageValidator({ smoke: false }) });
    const file = await packageFile({});
    await deployer.install(file);
    await expect(deployer.install(file)).rejects.toMatchObject({
      code: 'already_installed',
      message: expect.stringMatching(
        /pass force to replace it, or give the package another version$/,
      ) as string,
    });
    await deployer.install(file, { force: true });
    await deployer.install(await packageFile({ version: '1.0.1' }));
  });

  test('a path where nothing is', async () => {
    const store = await TemporaryStore.open();
    onTestFinished(() => store.close());
    const deployer = store.deployer({ validator: new PackageValidator({ smoke: false }) });
    const file = path.join(await temporaryFolder(), 'package.zip');
    await expect(deployer.install(file)).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringMatching(
        /is not there\. Look at the path, or copy the package there again$/,
      ) as string,
    });
    await writeFile(file, await buildPackage({}));
    await deployer.install(file);
  });
});
