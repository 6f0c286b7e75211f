import { mkdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { AcceptanceOptions, InspectCallOptions, InspectionResult, Runner } from 'procvision-runner';
import { isRunnerError } from '../failure.js';
import { EXIT, notFound, usage } from '../host.js';
import { nearest } from '../nearest.js';
import type { Call } from '../spec.js';
import { findFile, findVersion, newFolder, withRunner } from '../store.js';
import { supervisorOptions } from '../supervisor-options.js';
import { formatTime, Progress } from '../terminal/progress.js';

interface Target {
  productId: string;
  version?: { name: string; version: string };
  pictures: readonly string[];
}

/** How a picture becomes pixels: flags of the command. */
type How = Pick<AcceptanceOptions, 'orientation' | 'toEightBits' | 'decode'>;

interface Outcome {
  picture: string;
  result?: InspectionResult;
  error?: unknown;
  annotated?: string;
}

export async function run(call: Call): Promise<number> {
  const { options, out, host, signal } = call;
  return withRunner(
    call,
    async (runner) => {
      const { productId, version: target, pictures } = await targetOf(runner, call);
      const files: string[] = [];
      for (const picture of pictures) files.push(await findFile(call, picture, 'picture'));
      const guide = options.guide as string | undefined;
      const { orientation, toEightBits, decode } = options as How;
      const how = { orientation, toEightBits, decode };
      const asked: InspectCallOptions = {
        target,
        stepIndex: options.step as number | undefined,
        userParams: options.params as Record<string, unknown> | undefined,
        guideImage:
          guide === undefined || guide === 'same'
            ? guide
            : { ...how, file: await findFile(call, guide, 'guide picture') },
        timeoutMs: options.timeout as number | undefined,
        signal,
      };
      const folder = options.out as string | undefined;
      if (folder !== undefined) await checkTargets(call, await newFolder(call, folder), files);
      const progress = new Progress(host);
      const outcomes: Outcome[] = [];
      try {
        for (const [index, file] of files.entries()) {
          const picture = pictures[index] ?? file;
          progress.count(index, files.length, picture);
          const image = { ...how, file };
          const outcome = await inspectOne(runner, call, { productId, picture, image }, asked);
          // What is wrong with the first call is wrong with the command line, and with each further call.
          const { result, error } = outcome;
          if (index === 0 && !result && isRunnerError(error) && error.code === 'invalid_params') throw error;
          outcomes.push(outcome);
        }
      } finally {
        progress.end();
      }
      out.table(
        outcomes,
        outcomes.map((outcome) => rowOf(outcome, call)),
        'No picture',
      );
      for (const { picture, result, error } of outcomes) {
        if (error === undefined) continue;
        const what = result ? `${picture}: its picture was not written to --out` : picture;
        out.say(`${out.messageStyle.red('failed:')} ${what}: ${(error as Error).message}`);
      }
      for (const warning of new Set(outcomes.flatMap(({ result }) => result?.warnings ?? [])))
        out.warn(warning);
      return outcomes.every(({ result, error }) => result?.status === 'OK' && error === undefined)
        ? EXIT.done
        : EXIT.failed;
    },
    { supervisor: supervisorOptions(options) },
  );
}

/** A product id that is active, or a name and a version. */
async function targetOf({ registry }: Runner, call: Call): Promise<Target> {
  const [first = '', second = '', ...rest] = call.words;
  const active = await registry.active();
  const entries = await registry.list();
  const isVersion = entries.some(({ name, version }) => name === first && version === second);
  if (!isVersion && active[first]) return { productId: first, pictures: call.words.slice(1) };
  if (isVersion || entries.some(({ name }) => name === first)) {
    const entry = await findVersion(registry, first, second);
    if (rest.length === 0)
      throw usage(`run ${first} ${second} takes pictures: run ${first} ${second} PICTURE…`);
    const given = call.options.productId as string | undefined;
    const productId = given ?? entry.supported_pids[0] ?? entry.name;
    return { productId, version: { name: first, version: second }, pictures: rest };
  }
  const near = nearest(first, [...Object.keys(active), ...entries.map(({ name }) => name)]);
  const known = Object.keys(active);
  const hint =
    near !== undefined
      ? `. Did you mean ${near}?`
      : known.length > 0
        ? `. Active are ${known.join(', ')}`
        : '';
  throw notFound(`${first} is neither an active product id nor a deployed package${hint}`);
}

/** Where the picture with the boxes of another goes. */
function targetIn(folder: string, file: string): string {
  return path.join(folder, `${path.parse(file).name}.png`);
}

/** Refuses targets that would replace a picture of the command line, or each other. @throws CliFailure 2 */
async function checkTargets(call: Call, folder: string, files: readonly string[]): Promise<void> {
  const given = await Promise.all(files.map((file) => stat(file, { bigint: true })));
  const taken = new Map<string, string>();
  for (const file of files) {
    const target = targetIn(folder, file);
    const shown = path.relative(call.host.cwd, target);
    const there = await stat(target, { bigint: true }).catch(() => undefined);
    if (there && given.some(({ dev, ino }) => dev === there.dev && ino === there.ino)) {
      throw usage(`--out would replace ${shown}, which is a picture to inspect: name another folder`);
    }
    const other = taken.get(target);
    if (other !== undefined && other !== file) {
      const [one, two] = [other, file].map((place) => path.relative(call.host.cwd, place));
      throw usage(
        `${one} and ${two} would both be written to ${shown}: inspect them one after the other, with two folders`,
      );
    }
    taken.set(target, file);
  }
}

async function inspectOne(
  runner: Runner,
  call: Call,
  { productId, picture, image }: { productId: string; picture: string; image: How & { file: string } },
  asked: InspectCallOptions,
): Promise<Outcome> {
  let result: InspectionResult | undefined;
  try {
    result = await runner.inspect(productId, image, asked);
    const folder = call.options.out as string | undefined;
    if (folder === undefined) return { picture, result };
    const target = targetIn(call.path(folder), image.file);
    await mkdir(path.dirname(target), { recursive: true });
    const { annotatedPicture } = await import('procvision-runner');
    await writeFile(target, await annotatedPicture(image, result, { signal: call.signal }));
    return { picture, result, annotated: target };
  } catch (error) {
    if (call.signal.aborted) throw error;
    return { picture, ...(result && { result }), error }; // a verdict stays one, also where its picture cannot be written
  }
}

function rowOf({ picture, result, annotated }: Outcome, { out, host }: Call): Record<string, unknown> {
  const { red, green, yellow } = out.style;
  if (!result) return { picture, verdict: red('FAILED'), why: 'see below' };
  const verdict = result.status === 'ERROR' ? 'ERROR' : (result.data.result_status ?? '?');
  const paint = verdict === 'OK' ? green : verdict === 'NG' ? red : yellow;
  const boxes = result.data.defect_rects?.map(({ x, y, width, height, label = '' }) =>
    `${label} ${width}x${height}+${x}+${y}`.trim(),
  );
  return {
    ...{ picture, verdict: paint(verdict) },
    why: result.status === 'ERROR' ? result.message : result.data.ng_reason,
    boxes: boxes === undefined || boxes.length === 0 ? undefined : boxes.join(', '),
    time: formatTime(result.timing.totalMs),
    annotated: annotated === undefined ? undefined : path.relative(host.cwd, annotated),
  };
}
