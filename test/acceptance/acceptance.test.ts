import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PNG } from 'pngjs';
import { describe, expect, test } from 'vitest';
import { acceptance, annotatedPicture, type AcceptanceProgress } from '../../src/index.js';
import { deployBrightness, writePicture, writePictures } from '../support/brightness.js';
import { temporaryRunner } from '../support/open-runner.js';
import { IS_WINDOWS, IS_WINE } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

const many = (count: number, value: number) => Array<number>(count).fill(value);

/** A runner and a folder for pictures. */
async function station() {
  const { runner, folder } = await temporaryRunner();
  return { runner, registry: runner.registry, pictures: path.join(folder, 'pictures'), folder };
}

describe('acceptance of labelled pictures', () => {
  test('a version that is right is accepted by 32 pictures of 40, with its confusion table and times', async () => {
    const { runner, registry, pictures } = await station();
    const target = await deployBrightness(registry, '1.0.0', { below: 100 });
    await writePictures(pictures, { OK: many(20, 200), NG: many(20, 50) });
    const progress: AcceptanceProgress[] = [];
    const report = await acceptance(runner, pictures, { target, onProgress: (one) => progress.push(one) });
    expect(report).toMatchObject({
      ...{ decision: 'accepted', decidedAfter: 32, missing: 0, productId: 'B-1', folder: pictures },
      target: {
        ...{ name: 'brightness', version: '1.0.0', wrong: 0, escapes: 0, falseRejects: 0 },
        confusion: {
          OK: { OK: 20, NG: 0, ERROR: 0, none: 0, failed: 0 },
          NG: { OK: 0, NG: 20, ERROR: 0, none: 0, failed: 0 },
        },
        times: { count: 40 },
      },
      ...{ against: undefined, changed: [], unreadable: [], ignored: [], report: undefined },
    });
    expect(report.target.times.p50Ms).toBeGreaterThan(0);
    expect(report.target.times.maxMs).toBeGreaterThanOrEqual(report.target.times.p95Ms ?? Infinity);
    expect(progress.map(({ done, total }) => [done, total])).toEqual(
      many(40, 40).map((total, n) => [n + 1, total]),
    );
    expect(progress.map(({ decision }) => decision).lastIndexOf('undecided')).toBe(30);
    // The order mixes the labels, and the seed fixes it.
    const labels = report.pictures.map(({ expected }) => expected);
    expect(new Set(labels.slice(0, 12)).size).toBe(2);
  });

  test('the same seed gives the same order, another one another', async () => {
    const { runner, registry, pictures } = await station();
    const target = await deployBrightness(registry, '1.0.0', { below: 100 });
    await writePictures(pictures, { OK: [201, 202, 203, 204, 205, 206], NG: [1, 2, 3, 4] });
    const orderOf = async (seed: number) =>
      (await acceptance(runner, pictures, { target, seed })).pictures.map(({ file }) => file);
    const first = await orderOf(5);
    expect(await orderOf(5)).toEqual(first);
    expect(await orderOf(6)).not.toEqual(first);
    expect((await orderOf(6)).sort()).toEqual([...first].sort());
  });

  test('a version that is wrong is rejected, and with stopWhenDecided inspects no more than it takes', async () => {
    const { runner, registry, pictures } = await station();
    const target = await deployBrightness(registry, '1.0.0', { below: 0 }); // passes everything
    await writePictures(pictures, { OK: many(10, 200), NG: many(30, 50) });
    const report = await acceptance(runner, pictures, { target, stopWhenDecided: true });
    expect(report.decision).toBe('rejected');
    expect(report.pictures).toHaveLength(report.decidedAfter ?? 0);
    expect(report.pictures.length).toBeLessThan(10);
    expect(report.target.escapes).toBe(report.target.wrong);
    expect(report.target.wrong).toBe(2);
  });

  test('pictures that do not suffice leave it undecided, and say how many are missing', async () => {
    const { runner, registry, pictures } = await station();
    const target = await deployBrightness(registry, '1.0.0', { below: 100 });
    await writePictures(pictures, { OK: [200, 210], NG: [50] });
    const report = await acceptance(runner, pictures, { target });
    expect(report).toMatchObject({ decision: 'undecided', decidedAfter: undefined, missing: 29 });
    const loose = await acceptance(runner, pictures, { target, rejectableRate: 0.9, beta: 0.1 });
    expect(loose).toMatchObject({ decision: 'accepted', decidedAfter: 2, test: { rejectableRate: 0.9 } });
  });

  test('what changed against another version is listed, with which of them is right', async () => {
    const { runner, registry, pictures, folder } = await station();
    const against = await deployBrightness(registry, '1.0.0', { below: 100 });
    const target = await deployBrightness(registry, '1.1.0', { below: 150 });
    await writePictures(pictures, { OK: [120, 200], NG: [130, 50] });
    const file = path.join(folder, 'report.html');
    const report = await acceptance(runner, pictures, { target, against, report: file });
    const changes = report.changed.map((one) => [one.file, one.verdict, one.isRight, one.against?.verdict]);
    expect(changes.sort()).toEqual([
      ['NG/0-130.png', 'NG', true, 'OK'],
      ['OK/0-120.png', 'NG', false, 'OK'],
    ]);
    expect(report.target).toMatchObject({ wrong: 1, falseRejects: 1, escapes: 0 });
    expect(report.against).toMatchObject({ version: '1.0.0', wrong: 1, falseRejects: 0, escapes: 1 });

    const html = await readFile(file, 'utf8');
    expect(html).toContain('<h1 class="undecided">brightness 1.1.0: undecided</h1>');
    expect(html).toContain('<td>OK/0-120.png</td><td>OK</td><td>OK</td><td>NG</td><td>broken</td>');
    expect(html).toContain('<td>NG/0-130.png</td><td>NG</td><td>OK</td><td>NG</td><td>mended</td>');
    const drawn = [...html.matchAll(/alt="([^"]*)" src="data:image\/png;base64,([^"]+)"/g)];
    expect(drawn).toHaveLength(6); // four pictures, and two of them once more as they were before
    const [, caption = '', png = ''] = drawn[0] ?? [];
    expect(caption).toContain('OK/0-120.png: expected OK, brightness 1.1.0 says NG.');
    const { width, height, data } = PNG.sync.read(Buffer.from(png, 'base64'));
    expect([width, height]).toEqual([64, 48]);
    const at = (x: number, y: number) => [...data.subarray((y * width + x) * 4, (y * width + x) * 4 + 3)];
    expect(at(0, 40)).toEqual([220, 40, 40]); // the frame of NG
    expect(at(29, 32)).toEqual([220, 40, 40]); // beside the box at 30, 30 of 6 x 4
    expect(at(30, 32)).toEqual([120, 120, 120]);
    expect(at(28, 32)).toEqual([255, 255, 255]); // the light line around it, and the dark one
    expect(at(27, 32)).toEqual([12, 16, 20]);
    expect(html).toContain(
      '<span class="verdict" style="background:rgb(220, 40, 40)">NG</span> OK/0-120.png: expected OK',
    );
    expect(html).toMatch(/says NG\.[^<]* Boxes: 1[^<]*\.<\/figcaption>/);
  });

  test('an algorithm that fails, answers nothing, hangs or dies has a wrong verdict, and the rest is inspected', async () => {
    const { runner, registry, pictures } = await temporaryStationWithoutRetries();
    const target = await deployBrightness(registry, '1.0.0', {
      below: 100,
      extra: [
        'if pixels[0] == 1:\n        raise ValueError("no light")',
        'if pixels[0] == 2:\n        return {"status": "OK", "message": "", "data": {}}',
        'if pixels[0] == 3:\n        time.sleep(60)',
        'if pixels[0] == 4:\n        import os; os._exit(3)',
      ]
        .map((line) => `    ${line}\n`)
        .join(''),
    });
    await writePictures(pictures, { OK: [1, 2, 200], NG: [3, 4, 50] });
    const report = await acceptance(runner, pictures, { target, timeoutMs: IS_WINE ? 40_000 : 4_000 });
    const verdicts = Object.fromEntries(
      report.pictures.map(({ file, verdict, error }) => [file, error?.code ?? verdict]),
    );
    expect(verdicts).toEqual({
      'OK/0-1.png': 'ERROR',
      'OK/1-2.png': expect.stringMatching(/^(none|contract_violation)$/) as string,
      'OK/2-200.png': 'OK',
      'NG/0-3.png': 'timeout',
      'NG/1-4.png': 'worker_exited',
      'NG/2-50.png': 'NG',
    });
    expect(report.target).toMatchObject({ wrong: 4, escapes: 0, falseRejects: 0 });
    expect(report.decision).toBe('rejected');
  });

  test('a picture that cannot be read counts nowhere, and other files are named', async () => {
    const { runner, registry, pictures, folder } = await station();
    const target = await deployBrightness(registry, '1.0.0', { below: 100 });
    await writePictures(pictures, { OK: [200], NG: [50] });
    await writeFile(path.join(pictures, 'OK', 'broken.png'), 'no picture');
    // Windows keeps < and > out of names.
    const [notes, inHtml] = IS_WINDOWS
      ? ['notes & marks.txt', 'notes &#38; marks.txt']
      : ['notes & <marks>.txt', 'notes &#38; &#60;marks&#62;.txt'];
    await writeFile(path.join(pictures, 'NG', notes), 'text');
    await writeFile(path.join(pictures, 'OK', '.hidden'), 'text');
    const file = path.join(folder, 'report.html');
    const report = await acceptance(runner, pictures, { target, report: file });
    expect(report.pictures).toHaveLength(2);
    expect(report.unreadable).toMatchObject([{ file: 'OK/broken.png' }]);
    expect(report.unreadable[0]?.message).toContain('is neither a JPEG, a PNG');
    expect(report.ignored).toEqual([`NG/${notes}`]);
    expect(await readFile(file, 'utf8')).toContain(`NG/${inHtml}`);
  });

  test('a package that is to decode and has no Pillow is no fault of the pictures, nor is a guide that it cannot be handed', async () => {
    const { runner, registry, pictures, folder } = await station();
    const target = await deployBrightness(registry, '1.0.0', { below: 100 });
    await writePictures(pictures, { OK: [200], NG: [50] });
    const decode = 'package';
    await expect(acceptance(runner, pictures, { target, decode })).rejects.toMatchObject({
      code: 'unsupported_image',
      details: { path: 'decode' },
    });
    const guideImage = path.join(folder, 'guide.png');
    const wide = Object.assign(new PNG({ width: 4, height: 4 }), { data: Buffer.alloc(32) });
    const sixteen = { bitDepth: 16, colorType: 0, inputColorType: 0, inputHasAlpha: false } as const;
    await writeFile(guideImage, PNG.sync.write(wide, sixteen));
    const guided = { target, decode, guideImage, toEightBits: 'shift' } as const;
    await expect(acceptance(runner, pictures, guided)).rejects.toMatchObject({
      code: 'invalid_image',
      message: expect.stringContaining('has 16 bits a channel') as string,
    });
    const { pictures: inspected } = await acceptance(runner, pictures, { ...guided, decode: 'host' });
    expect(inspected.map(({ isRight }) => isRight)).toEqual([true, true]);
  });

  test('a list names its pictures beside it, with semicolons, quotes and other columns', async () => {
    const { runner, registry, folder } = await station();
    const target = await deployBrightness(registry, '1.0.0', { below: 100 });
    const name = IS_WINDOWS ? "a 'b'; c.png" : 'a "b"; c.png'; // which keeps " out of names too
    await writePicture(path.join(folder, name), 200);
    await writePicture(path.join(folder, 'deep', 'dark.png'), 20);
    const list = path.join(folder, 'labels.csv');
    const quoted = name.replaceAll('"', '""');
    await writeFile(list, `\ufeffId;File;Verdict\r\n1;"${quoted}";ok\r\n\r\n2;deep/dark.png;NG\r\n`);
    const { pictures } = await acceptance(runner, list, { target });
    expect(pictures.map(({ file, expected, verdict }) => [file, expected, verdict]).sort()).toEqual([
      [name, 'OK', 'OK'],
      ['deep/dark.png', 'NG', 'NG'],
    ]);
  });

  test('an abort ends it with an AbortError', async () => {
    const { runner, registry, pictures } = await station();
    const target = await deployBrightness(registry, '1.0.0', { below: 100 });
    await writePictures(pictures, { OK: many(5, 200), NG: [] });
    const stop = new AbortController();
    const going = acceptance(runner, pictures, {
      target,
      signal: stop.signal,
      onProgress: () => stop.abort(),
    });
    await expect(going).rejects.toMatchObject({ name: 'AbortError' });
  });
});

async function temporaryStationWithoutRetries() {
  const { runner, folder } = await temporaryRunner({ supervisor: { policy: { retries: 0 } } });
  return { runner, registry: runner.registry, pictures: path.join(folder, 'pictures') };
}

describe('refused before anything is inspected', () => {
  const target = { name: 'brightness', version: '1.0.0' };
  test.each<[title: string, options: object, expected: object]>([
    ['an option that is unknown', { alfa: 0.1 }, { code: 'invalid_params', details: { path: 'alfa' } }],
    ['a bound that is none', { alpha: 0 }, { code: 'invalid_params', details: { path: 'alpha' } }],
    [
      'rates that are not apart',
      { acceptableRate: 0.2, rejectableRate: 0.1 },
      { code: 'invalid_params', details: { path: 'rejectableRate' } },
    ],
    ['a version that is not deployed', { against: { ...target, version: '9' } }, { code: 'not_found' }],
    [
      'a report where none can be written',
      { report: '/no/such/folder/report.html' },
      { code: 'invalid_params', details: { path: 'report' } },
    ],
    ['a guide that cannot be read', { guideImage: '/no/such/guide.png' }, { code: 'invalid_image' }],
    ['a rule that is none', { toEightBits: { min: 9, max: 1 } }, { code: 'invalid_image' }],
  ])('%s', async (_title, options, expected) => {
    const { runner, registry, pictures } = await station();
    await deployBrightness(registry, '1.0.0', { below: 100 });
    await writePictures(pictures, { OK: [1], NG: [] });
    await expect(acceptance(runner, pictures, { target, ...options })).rejects.toMatchObject(expected);
    expect(runner.supervisor.status()).toEqual([]);
  });

  test.each<[title: string, text: string | undefined, message: string]>([
    ['a folder without OK and NG', undefined, 'has neither a folder OK nor a folder NG'],
    [
      'a list without its columns',
      'picture,label\na.png,OK\n',
      'must begin with a line that names the columns file and verdict',
    ],
    [
      'a list with another verdict',
      'file,verdict\na.png,GOOD\n',
      'row 2 must have a file and the verdict OK or NG',
    ],
    [
      'a list that names a picture twice',
      'file,verdict\na.png,OK\na.png,NG\n',
      'row 3 names a.png a second time',
    ],
    ['a list with a quote that does not end', 'file,verdict\n"a.png,OK\n', 'in quotes does not end'],
    ['a list without rows', 'file,verdict\n', 'has no picture'],
  ])('%s', async (_title, text, message) => {
    const { runner, registry, folder } = await station();
    await deployBrightness(registry, '1.0.0', { below: 100 });
    const given = path.join(folder, text === undefined ? 'empty' : 'labels.csv');
    if (text === undefined) await mkdir(given);
    else await writeFile(given, text);
    await expect(acceptance(runner, given, { target })).rejects.toMatchObject({
      code: 'invalid_params',
      message: expect.stringContaining(message) as string,
    });
  });
});

describe('annotatedPicture', () => {
  const result = {
    status: 'OK' as const,
    data: { result_status: 'NG' as const, defect_rects: [{ x: 40, y: 40, width: 20, height: 20 }] },
  };

  test('a gray picture is drawn at its size, a large one at the size that is asked for, its boxes with it', async () => {
    const gray = { data: new Uint8Array(200 * 100).fill(77), width: 200, height: 100, channels: 1 as const };
    const whole = PNG.sync.read(Buffer.from(await annotatedPicture(gray, result)));
    expect([whole.width, whole.height]).toEqual([200, 100]);
    const at = ({ width, data }: PNG, x: number, y: number) => [
      ...data.subarray((y * width + x) * 4, (y * width + x) * 4 + 3),
    ];
    expect([at(whole, 50, 50), at(whole, 39, 50), at(whole, 60, 50)]).toEqual([
      [77, 77, 77],
      [220, 40, 40],
      [220, 40, 40],
    ]);
    const half = PNG.sync.read(Buffer.from(await annotatedPicture(gray, result, { maxSide: 100 })));
    expect([half.width, half.height]).toEqual([100, 50]);
    expect([at(half, 25, 25), at(half, 19, 25)]).toEqual([
      [77, 77, 77],
      [220, 40, 40],
    ]);
  });

  test('a smaller picture has the mean of the pixels it stands for, in the order R, G, B', async () => {
    const data = Uint8Array.from({ length: 200 * 200 * 3 }, (_, index) => [10, 20, 30][index % 3] ?? 0);
    data.fill(0, 0, 101 * 200 * 3); // its upper rows are black
    const bgr = { data, width: 200, height: 200, colorSpace: 'BGR' as const };
    const ok = { status: 'OK' as const, data: {} };
    const small = PNG.sync.read(Buffer.from(await annotatedPicture(bgr, ok, { maxSide: 70 })));
    expect([small.width, small.height]).toEqual([70, 70]);
    const at = (row: number) => [...small.data.subarray((row * 70 + 35) * 4, (row * 70 + 35) * 4 + 3)];
    // Row 35 stands for the rows 100 and 101, of which one is black.
    expect([at(34), at(35), at(36)]).toEqual([
      [0, 0, 0],
      [15, 10, 5],
      [30, 20, 10],
    ]);
  });

  test('a path of no picture and an unknown option are refused', async () => {
    const folder = await temporaryFolder();
    await expect(annotatedPicture(path.join(folder, 'none.png'), result)).rejects.toMatchObject({
      code: 'invalid_image',
    });
    const options = { max: 5 } as object;
    await expect(
      annotatedPicture({ data: new Uint8Array(3), width: 1, height: 1 }, result, options),
    ).rejects.toMatchObject({ code: 'invalid_params' });
  });
});
