import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { InspectionResult } from 'procvision-runner';
import { EXIT, notFound, usage } from '../host.js';
import { InputError, writePng } from '../picture/picture.js';
import { packBoardCheck } from '../quickstart/package.js';
import { chooseSubject, type Subject } from '../quickstart/subject.js';
import type { Call } from '../spec.js';
import { findFile, withRunner } from '../store.js';
import { Progress } from '../terminal/progress.js';
import { removeTree } from '../../store/remove-tree.js';

const PRODUCT_ID = 'BOARD-7';

export async function run(call: Call): Promise<number> {
  const { out, host, options, operator, signal } = call;
  const startedAt = performance.now();
  const { reference, inspections } = await subjectOf(call);
  const folder = call.path(options.out as string);
  const root = path.join(folder, 'store');
  const shown = (file: string) => path.relative(host.cwd, file) || '.';
  await removeOwn(root, shown(root));
  const zip = path.join(folder, 'board-check-v1.0.0-offline.zip');
  const pictures = path.join(folder, 'pictures'); // as they were inspected: to go on with
  await mkdir(pictures, { recursive: true });
  await writeFile(zip, await packBoardCheck(reference));
  const say = (title: string, text: string) =>
    out.isJson || host.stdout.write(`${title.padEnd(10)}${text}\n`);
  say('package', shown(zip));
  const { annotatedPicture } = await import('procvision-runner');
  const results = await withRunner(
    { ...call, root },
    async (runner) => {
      const progress = new Progress(host).follow(runner.deployer);
      const entry = await runner.ensureInstalled(zip, { activate: [PRODUCT_ID], operator, signal });
      progress.end();
      const python = entry.python_version ?? '?';
      say('deployed', `${entry.name} ${entry.version} in an environment of its own, Python ${python}`);
      await runner.startActive({ signal });
      say('running', `one worker, for product ${PRODUCT_ID}`);
      const done: { title: string; picture: string; result: InspectionResult }[] = [];
      for (const { title, picture, file } of inspections) {
        const result = await runner.inspect(PRODUCT_ID, picture, { signal });
        const target = path.join(folder, file);
        await writePng(path.join(pictures, file), picture);
        await writeFile(target, await annotatedPicture(picture, result, { signal }));
        done.push({ title, picture: target, result });
        if (!out.isJson) host.stdout.write(`\n${account(title, result)}\n  picture  ${shown(target)}\n`);
      }
      return done;
    },
    { make: true },
  );
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const next = `procvision-runner run ${PRODUCT_ID} ${path.join(shown(pictures), '*.png')} --root ${shown(root)}`;
  out.result({ zip, root, results }, `\nFrom a zip to a verdict in ${seconds} s. Go on with: ${next}`);
  return results.every(({ result }) => result.status === 'OK') ? EXIT.done : EXIT.failed;
}

/** Removes the store of a quickstart before. @throws CliFailure 2 for a folder that is something else */
async function removeOwn(root: string, shown: string): Promise<void> {
  const namesIn = (...parts: string[]) => readdir(path.join(root, ...parts)).catch((): string[] => []);
  const names = await namesIn();
  // A quickstart that was cut off may have left a store without a version.
  const packages = [...(await namesIn('algorithms', 'deployed')), ...(await namesIn('algorithms', 'zips'))];
  const isOwn = names.includes('algorithms') && packages.every((name) => name.startsWith('board-check'));
  if (names.length > 0 && !isOwn) {
    throw usage(
      `${shown} was not made by quickstart, which would replace it: name another folder with --out`,
    );
  }
  await removeTree(root); // a deployed version is read-only: a plain removal fails there
}

async function subjectOf(call: Call): Promise<Subject> {
  const { image, reference } = call.options as { image?: string; reference?: string };
  if (reference !== undefined && image === undefined) {
    throw usage('--reference says what --image is compared with: give both');
  }
  const find = (file?: string) => (file === undefined ? undefined : findFile(call, file, 'picture'));
  try {
    return await chooseSubject(await find(image), await find(reference));
  } catch (error) {
    throw error instanceof InputError ? notFound(error.message) : error;
  }
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
