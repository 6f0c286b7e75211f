/**
 * From a zip to a verdict: `npm run quickstart` packs a small algorithm, deploys it, and inspects a good board and
 * one with a missing part.
 *
 *   npm run quickstart -- --image FILE                    takes FILE as the good board, and paints a part of it over
 *   npm run quickstart -- --image FILE --reference FILE   inspects FILE as it is
 *   … --out FOLDER                                        where the store and the pictures go (.quickstart)
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import {
  AlgorithmSupervisor,
  Deployer,
  Registry,
  RunnerError,
  StoreLayout,
  type InspectionResult,
} from 'procvision-runner';
import { packBoardCheck } from './package.js';
import { copy, InputError, outline, writePng, type Picture } from './picture.js';
import { ProgressLine } from './progress.js';
import { chooseSubject } from './subject.js';

const USAGE = 'npm run quickstart -- [--image FILE [--reference FILE]] [--out FOLDER]';
const PID = 'BOARD-7';
const GREEN = [60, 200, 90] as const;
const RED = [235, 50, 50] as const;

const startedAt = performance.now();

async function main(): Promise<void> {
  const options = readOptions();
  if (options.help) {
    console.log(USAGE);
    return;
  }
  const { reference, inspections } = await chooseSubject(options.image, options.reference);
  const out = path.resolve(options.out);
  const layout = new StoreLayout(path.join(out, 'store'));
  await rm(layout.root, { recursive: true, force: true });

  const zip = path.join(layout.zips, 'board-check-v1.0.0-offline.zip');
  await mkdir(layout.zips, { recursive: true });
  await writeFile(zip, await packBoardCheck(reference));
  say('package', path.relative('.', zip));

  await using registry = await Registry.open(layout);
  await using deployer = new Deployer({ registry });
  const progress = new ProgressLine(process.stdout);
  deployer.on('stage', ({ stage }) => {
    progress.enter(stage);
  });
  deployer.on('progress', ({ fraction }) => {
    progress.advance(fraction);
  });
  const { name, version, python_version: python = '?' } = await deployer.install(zip);
  progress.end();
  say('deployed', `${name} ${version} in an environment of its own, Python ${python}`);

  await registry.activate({ name, version, productIds: [PID], operator: 'quickstart' });
  await using supervisor = new AlgorithmSupervisor({ registry });
  await supervisor.start(name, version);
  say('running', `one worker, for product ${PID}`);

  for (const { title, picture, file } of inspections) {
    const request = { productId: PID, stepIndex: 1, image: picture };
    const pre = await supervisor.preExecute(request);
    const result = pre.status === 'OK' ? await supervisor.execute(request) : pre;
    const target = path.join(out, file);
    await writePng(target, annotate(picture, result));
    console.log(`\n${account(title, result)}\n  picture  ${path.relative('.', target)}`);
  }
  console.log(`\nFrom a zip to a verdict in ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`);
}

function readOptions(): { image?: string; reference?: string; out: string; help?: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        image: { type: 'string' },
        reference: { type: 'string' },
        out: { type: 'string', default: '.quickstart' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.reference === undefined || values.image !== undefined) return values;
  } catch (cause) {
    throw new InputError(`${(cause as Error).message}\n${USAGE}`, { cause });
  }
  throw new InputError(`--reference says what --image is compared with: give both\n${USAGE}`);
}

function say(stage: string, text: string): void {
  console.log(`${stage.padEnd(10)}${text}`);
}

/** The verdict as an operator would read it. */
function account(title: string, { status, message, data, timing }: InspectionResult): string {
  const verdict =
    status === 'ERROR' ? `ERROR  ${message}` : `${data.result_status ?? '?'}  ${data.ng_reason ?? ''}`;
  const boxes = (data.defect_rects ?? []).map(
    ({ x, y, width, height, label, score }) =>
      `  box      ${width} x ${height} at ${x}, ${y}  ${label ?? ''} ${score ?? ''}`,
  );
  const time = `  time     ${timing.totalMs.toFixed(1)} ms, of which the algorithm ${timing.callMs.toFixed(1)} ms`;
  return [title, `  verdict  ${verdict}`, ...boxes, time].map((line) => line.trimEnd()).join('\n');
}

/** The picture with its defect boxes, in a frame of the verdict's colour. */
function annotate(picture: Picture, { data }: InspectionResult): Picture {
  const annotated = copy(picture);
  const { width, height } = picture;
  const isGood = data.result_status === 'OK';
  outline(annotated, { x: 6, y: 6, width: width - 12, height: height - 12 }, isGood ? GREEN : RED, 6);
  for (const box of data.defect_rects ?? []) outline(annotated, box, RED);
  return annotated;
}

main().catch((error: unknown) => {
  if (RunnerError.is(error)) console.error(`\n${error.code}: ${error.message}`);
  else console.error(error instanceof InputError ? error.message : error);
  process.exitCode = 1;
});
