import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageEntries, writeZip } from '../../src/testing/index.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { formatReport } from '../../src/validation/report.js';
import { ownTempDir } from '../support/own-temp-dir.js';
import { packageFile, phasedAlgorithm, wheelOf } from '../support/package-file.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { IS_WINDOWS } from '../support/platform.js';

describe('inspect', () => {
  const validator = new PackageValidator();

  test.each(['beside', 'flat', 'inside'] as const)(
    'tells everything of a package laid out %s',
    async (layout) => {
      const inspection = await validator.inspect(await packageFile({ layout }));
      expect(inspection).toMatchObject({
        name: 'sample',
        version: '1.0.0',
        generation: 'phased',
        requirements: [{ name: 'procvision-algorithm-sdk' }],
        warnings: [],
      });
      expect(inspection.wheels.map(({ name }) => name)).toContain('procvision-algorithm-sdk');
      expect(inspection.entries).toBeGreaterThan(4);
    },
  );

  test('tells a project folder that is named wheels from the folder of wheels in it', async () => {
    const inspection = await validator.inspect(await packageFile({ layout: 'inside', folder: 'wheels' }));
    expect(inspection).toMatchObject({ requirements: [{ name: 'procvision-algorithm-sdk' }], warnings: [] });
    expect(inspection.wheels.map(({ name }) => name)).toContain('procvision-algorithm-sdk');
  });

  test('takes a package of SDK 0.3 for execute-only, and asks it for no product ids', async () => {
    const inspection = await validator.inspect(await packageFile({ generation: 'execute-only' }));
    expect(inspection).toMatchObject({ generation: 'execute-only' });
    expect(inspection.manifest.supported_pids).toBeUndefined();
  });

  test('reads a manifest with BOM, in GBK, and keeps fields it does not know', async () => {
    const entries = await packageEntries({ manifest: { description: 'X' } });
    const manifest = String(entries[0]?.data).replace('"X"', '"检测"').replace('{', '{"vendor": {"a": 1},');
    const gbk = Buffer.concat(
      manifest
        .split('检测')
        .flatMap((part, index) =>
          index ? [Buffer.from([0xbc, 0xec, 0xb2, 0xe2]), Buffer.from(part)] : [Buffer.from(part)],
        ),
    );
    for (const data of [Buffer.from(`\ufeff${manifest}`), gbk]) {
      const inspection = await validator.inspect(
        await packageFile(writeZip(entries.map((entry, index) => (index ? entry : { ...entry, data })))),
      );
      expect(inspection.manifest).toMatchObject({ description: '检测', vendor: { a: 1 } });
    }
  });

  test('tells the interpreter the package wants, and what contradicts it', async () => {
    const extra = [
      {
        name: 'sample/.procvision_env.json',
        data: '{"python_version": "3.9", "abi": "cp39", "wheels_platform": "linux_x86_64"}',
      },
      { name: 'sample/python_runtime/bin/python3', data: 'x' },
    ];
    const binary = await wheelOf({ name: 'odd', version: '1', tag: 'cp311-cp311-linux_x86_64' });
    const { python, warnings } = await validator.inspect(await packageFile({ extra, wheels: [binary] }));
    expect(python).toEqual({
      pythonVersion: '3.9',
      abi: 'cp39',
      platform: 'linux_x86_64',
      embedded: 'python_runtime/bin/python3',
    });
    expect(warnings).toEqual([expect.stringMatching(/cp39.*cp311/)]);
  });

  test.each([
    ['.procvision_env.json', '{"python_version": "3.9.2"}', /for cp39, but its wheels are for cp311/],
    [
      '.procvision_env.json',
      '{"wheels_platform": "win_amd64"}',
      /for win_amd64, but its wheels are for Linux/,
    ],
    ['deploy_bootstrap.json', '{"has_embedded_python": true}', /brings an interpreter, but there is none/],
    ['.procvision_env.json', '[1', /is not a JSON object/],
  ])('warns of %s that says %s where it is not so', async (name, data, warning) => {
    const binary = await wheelOf({ name: 'odd', version: '1', tag: 'cp311-cp311-manylinux_2_17_x86_64' });
    const extra = [
      { name: `sample/${name}`, data },
      ...(data.includes('3.9.2') ? [{ name: 'sample/python_runtime/bin/python3', data: 'x' }] : []),
    ];
    const report = await new PackageValidator({ smoke: false }).validate(
      await packageFile({ extra, wheels: [binary], requirements: '' }),
    );
    expect(report.warnings).toEqual([expect.stringMatching(warning)]);
    expect(report.summary.status).toBe('PASS');
  });

  describe('names every fault of the manifest with its path', () => {
    test.each([
      ['a missing name', { name: undefined }, 'name'],
      ['a version that is a path', { version: '../1' }, 'version'],
      ['a reserved name', { name: 'CON' }, 'name'],
      ['an entry point without a class', { entry_point: 'algorithm.main' }, 'entry_point'],
      ['a product id that is a number', { supported_pids: ['A', 7] }, 'supported_pids.1'],
      ['a product id twice', { supported_pids: ['A', 'A'] }, 'supported_pids'],
      ['no product ids', { supported_pids: undefined }, 'supported_pids'],
      ['a step before the first', { steps: [{ index: -1, name: 'x' }] }, 'steps.0.index'],
      [
        'a parameter without a key',
        { steps: [{ index: 1, name: 'x', params: [{ type: 'int' }] }] },
        'steps.0.params.0.key',
      ],
    ])('%s', async (_title, manifest, issuePath) => {
      const failure = await validator
        .inspect(await packageFile({ manifest }))
        .catch((error: unknown) => error);
      expect(failure).toMatchObject({
        code: 'manifest_invalid',
        errorCode: '2002',
        details: { issues: [{ path: issuePath }] },
      });
      expect((failure as Error).message).toContain(issuePath);
    });
  });

  test('takes a step with index 0, as the packaging tool of the SDK writes one', async () => {
    const params = [{ key: 'threshold', type: 'float', default: 0.5, min: 0, max: 1 }];
    const steps = [{ index: 0, name: '示例步骤', params }];
    const { manifest } = await validator.inspect(await packageFile({ manifest: { steps } }));
    expect(manifest.steps).toEqual(steps);
  });

  test('refuses two manifests, and two folders of wheels, naming both', async () => {
    const twice = { extra: [{ name: 'other/manifest.json', data: '{}' }] };
    await expect(validator.inspect(await packageFile(twice))).rejects.toMatchObject({
      code: 'invalid_zip',
      message: expect.stringMatching(/sample\/manifest\.json and other\/manifest\.json/) as string,
    });
    const wheels = { extra: [{ name: 'sample/wheels/x-1-py3-none-any.whl', data: 'x' }] };
    await expect(validator.inspect(await packageFile(wheels))).rejects.toMatchObject({
      code: 'invalid_zip',
      message: /two folders of wheels/,
    });
  });

  test('names each requirement that no wheel meets, those of wheels too, stored or deflated', async () => {
    const base = await wheelOf({
      name: 'base',
      version: '1',
      requires: [
        'deep>=2',
        'gpu; extra == "gpu"',
        `other; sys_platform == "${IS_WINDOWS ? 'linux' : 'win32'}"`,
      ],
    });
    for (const stored of [true, false]) {
      const zip = await packageFile({
        wheels: [base],
        requirements: 'procvision_algorithm_sdk\nbase[gpu]\nbase>5\n',
        stored,
      });
      await expect(validator.inspect(zip)).rejects.toMatchObject({
        code: 'wheels_missing',
        details: { requirements: ['base>5', 'deep>=2', 'gpu; extra == "gpu"'] },
      });
    }
  });

  test('says which tags were wanted and which every interpreter takes', async () => {
    const odd = await wheelOf({ name: 'odd', version: '1', tag: 'cp27-cp27m-win32' });
    const failure = await validator
      .inspect(await packageFile({ wheels: [odd], requirements: 'odd\n' }))
      .catch(
        (error: unknown) => error as { message: string; details: { interpreters: { tags: string[] }[] } },
      );
    expect(failure).toMatchObject({
      code: 'incompatible_python',
      details: { wheels: [{ tags: ['cp27-cp27m-win32'] }] },
    });
    const { details } = failure as { details: { interpreters: { tags: string[] }[] } };
    expect(details.interpreters.length).toBeGreaterThan(0);
    for (const { tags } of details.interpreters) expect(tags).toContain('py3-none-any');
  });

  test('names the places that were looked at when there is no Python at all', async () => {
    const nowhere = path.join(await temporaryFolder(), 'no python');
    const lonely = new PackageValidator({ venvs: new VenvManager({ python: nowhere }) });
    const file = await packageFile();
    await expect(lonely.inspect(file)).rejects.toMatchObject({
      code: 'incompatible_python',
      message:
        `${file} needs a Python, and no usable one, 3.8 or later, was found in ${nowhere}. ` +
        `Not usable: ${nowhere} (there is no such file). ` +
        'Install one there, or name one in the option python',
    });
  });

  test.skipIf(process.platform === 'win32')(
    'names the Pythons that are there and cannot be used, each with its reason',
    async () => {
      const broken = path.join(await temporaryFolder(), 'python3');
      await writeFile(broken, '#!/bin/sh\necho "No module named encodings" >&2\nexit 1\n', { mode: 0o755 });
      const lonely = new PackageValidator({ venvs: new VenvManager({ python: broken }) });
      const reason = 'it is no Python that can be used (exit 1) No module named encodings';
      await expect(lonely.inspect(await packageFile())).rejects.toMatchObject({
        code: 'incompatible_python',
        message: expect.stringContaining(`Not usable: ${broken} (${reason}). Install one there`) as string,
        details: { interpreters: [], unusable: [{ path: broken, reason }] },
      });
    },
  );

  test('a package whose wheels folder is empty and that requires nothing is legal', async () => {
    expect(await validator.inspect(await packageFile({ sdk: null, requirements: '' }))).toMatchObject({
      wheels: [],
      requirements: [],
    });
  });

  test('follows requirements that include others of the package', async () => {
    const extra = [{ name: 'sample/more.txt', data: 'missing-one\n' }];
    await expect(
      validator.inspect(await packageFile({ requirements: '-r more.txt\n', extra })),
    ).rejects.toMatchObject({
      code: 'wheels_missing',
      details: { requirements: ['missing-one'] },
    });
  });
});

describe('validate', () => {
  // How wheels are installed is tried elsewhere: links are made in half the time that pip takes.
  // The limit of a step is also that of loading, where no other is given.
  const validator = new PackageValidator({
    ...{ timeoutMs: 2_000, loadTimeoutMs: 60_000 },
    venvs: new VenvManager({ installer: 'link' }),
  });
  const failed = (report: { checks: { name: string; result: string }[] }) =>
    report.checks.filter(({ result }) => result === 'FAIL').map(({ name }) => name);

  test.each(['phased', 'execute-only'] as const)(
    'passes a good package of the %s generation, all checks told as events',
    async (generation) => {
      const names: string[] = [];
      const listening = new PackageValidator();
      listening.on('check', ({ name }) => names.push(name));
      const report = await listening.validate(await packageFile({ generation }));
      expect(formatReport(report)).toMatch(/^sample 1\.0\.0: PASS/);
      expect(report).toMatchObject({ summary: { status: 'PASS', failed: 0 } });
      expect(report.error).toBeUndefined();
      expect([...names].sort()).toEqual(report.checks.map(({ name }) => name).sort());
      const info = report.checks.find(({ name }) => name === 'get_info')?.result;
      expect(info).toBe(generation === 'phased' ? 'PASS' : 'SKIP');
      // Nothing is said to stand in the way where nothing is wrong.
      const reasons = report.checks.flatMap(({ result, message }) => (result === 'SKIP' ? [message] : []));
      expect(reasons.filter((message) => message.includes('fault'))).toEqual([]);
      if (generation === 'phased') expect(report.info).toMatchObject({ supported_pids: ['A01'] });
    },
  );

  test.each([
    ['an import that raises', { head: 'raise RuntimeError("no licence")' }, ['entry_import'], /no licence/],
    [
      'an entry that is no BaseAlgorithm',
      { head: 'BaseAlgorithm = object' },
      ['entry_import'],
      /BaseAlgorithm/,
    ],
    [
      'another version in get_info',
      { info: '{"name": "sample", "version": "2", "supported_pids": ["A01"], "steps": []}' },
      ['get_info'],
      /version is '2'/,
    ],
    ['a get_info that is no dict', { info: '[]' }, ['get_info'], /list/],
    [
      'steps that are no list',
      { info: '{"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": {}}' },
      ['step_schema'],
      /dict/,
    ],
    [
      'other product ids',
      { info: '{"name": "sample", "version": "1.0.0", "supported_pids": ["B"], "steps": []}' },
      ['supported_pids_match'],
      /'B'/,
    ],
    ['a pre_execute that raises', { pre: '1 / 0' }, ['pre_execute_return_dict'], /ZeroDivisionError/],
    [
      'a pre_execute with a strange status',
      { pre: '{"status": "GOOD", "message": ""}' },
      ['pre_status_valid'],
      /GOOD/,
    ],
    ['a pre_execute without a message', { pre: '{"status": "OK"}' }, ['pre_message_present'], /message/],
    ['an execute that gives None', { execute: 'None' }, ['execute_return_dict', 'smoke_execute'], /NoneType/],
    [
      'a strange status',
      { execute: '{"status": "FINE"}' },
      ['execute_status_valid', 'smoke_execute'],
      /FINE/,
    ],
    [
      'a strange verdict',
      { execute: '{"status": "OK", "data": {"result_status": "MAYBE"}}' },
      ['execute_result_status_valid', 'smoke_execute'],
      /MAYBE/,
    ],
    [
      'NG without a reason',
      { execute: '{"status": "OK", "data": {"result_status": "NG", "defect_rects": []}}' },
      ['ng_reason_present', 'smoke_execute'],
      /ng_reason/,
    ],
    [
      'NG with boxes that are no list',
      { execute: '{"status": "OK", "data": {"result_status": "NG", "ng_reason": "x", "defect_rects": {}}}' },
      ['defect_rects_type', 'defect_rects_count_limit', 'smoke_execute'],
      /dict/,
    ],
    [
      'NG with 21 boxes',
      {
        execute:
          '{"status": "OK", "data": {"result_status": "NG", "ng_reason": "x", "defect_rects": [{}] * 21}}',
      },
      ['defect_rects_count_limit', 'smoke_execute'],
      /20/,
    ],
    ['a process that leaves', { execute: '__import__("os")._exit(7)' }, ['smoke_execute'], /exit code 7/],
    [
      'a call that never ends',
      { execute: '__import__("time").sleep(100)' },
      ['execute_return_dict'],
      /longer than 2 s/,
    ],
    [
      'a call to the network',
      { execute: '__import__("socket").create_connection(("192.0.2.1", 80), 1)' },
      ['execute_return_dict', 'smoke_execute'],
      /PermissionError|OSError/,
    ],
  ])('reports %s', async (_title, body, names, message) => {
    const report = await validator.validate(await packageFile(phasedAlgorithm(body)));
    expect(failed(report)).toEqual(names);
    expect(report.error).toMatchObject({
      code: 'install_failed',
      message: expect.stringMatching(message) as string,
    });
  });

  test('gives the Python traceback of what was raised', async () => {
    const { error } = await validator.validate(
      await packageFile(phasedAlgorithm({ head: 'def f():\n    raise ValueError("deep")\nf()' })),
    );
    expect(error?.details.traceback).toMatch(/line \d+, in f\n[\s\S]*ValueError: deep/);
  });

  test('an algorithm that answers ERROR passes', async () => {
    const report = await validator.validate(
      await packageFile(phasedAlgorithm({ execute: '{"status": "ERROR", "message": "dark"}' })),
    );
    expect(report.summary.status).toBe('PASS');
  });

  test('carries on past faults that block nothing, and skips with reasons what they block', async () => {
    const report = await validator.validate(
      await packageFile({ manifest: { entry_point: undefined }, requirements: 'nowhere\n' }),
    );
    expect(failed(report)).toEqual(['manifest_fields', 'requirements_met']);
    expect(report.error).toMatchObject({ code: 'manifest_invalid' });
    expect(report.checks.find(({ name }) => name === 'entry_import')).toMatchObject({
      result: 'SKIP',
      message: expect.stringMatching(/./) as string,
    });
  });

  test('a file that is no zip is one failed check, with invalid_zip', async () => {
    const report = await validator.validate(await packageFile(Buffer.from('no zip')));
    expect(failed(report)).toEqual(['zip_open']);
    expect(report.error?.code).toBe('invalid_zip');
  });

  test('a file that is not there is said to be so, without the words of the system', async () => {
    const file = path.join(await temporaryFolder(), 'gone.zip');
    const report = await validator.validate(file);
    expect(report.error).toMatchObject({
      code: 'not_found',
      message: `${file} is not there. Look at the path, or copy the package there again`,
    });
    expect(formatReport(report)).toMatch(/^gone\.zip: FAIL/);
  });

  test('content found damaged while it is unpacked fails one check, and the report still says whose', async () => {
    const entries = [{ name: 'sample/model.bin', data: 'a model'.repeat(100) }];
    const bytes = writeZip([...(await packageEntries()), ...entries].map((e) => ({ ...e, stored: true })));
    const at = bytes.indexOf('a modela model');
    bytes.writeUInt8(0, at);
    const report = await validator.validate(await packageFile(bytes));
    const names = report.checks.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(report.checks.filter(({ result }) => result === 'FAIL')).toMatchObject([{ name: 'environment' }]);
    expect(report).toMatchObject({ error: { code: 'invalid_zip' }, manifest: { name: 'sample' } });
    expect(report.error?.message).toMatch(
      /entry "sample\/model\.bin" is damaged: .*\. Copy the package again/,
    );
    expect(formatReport(report)).toMatch(/^sample 1\.0\.0: FAIL/);
  });

  test('an unpacked project folder is validated where it lies, and nothing is left in the temp dir', async () => {
    const folder = path.join(await temporaryFolder(), 'project');
    const { openArchive } = await import('../../src/package/archive.js');
    await using archive = await openArchive(await packageFile({ layout: 'flat' }));
    await archive.extract(folder);
    const before = (await readdir(folder)).sort();
    const temp = await ownTempDir();
    const report = await validator.validate(folder);
    expect(formatReport(report)).toMatch(/PASS/);
    expect((await readdir(folder)).sort()).toEqual(before);
    expect(await readdir(temp)).toEqual([]);
  });

  test('an abort rejects with an AbortError', async () => {
    await expect(
      validator.validate(await packageFile(), { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});
