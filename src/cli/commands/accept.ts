import type { AcceptanceOptions, AcceptanceReport, AcceptanceSummary, VersionRef } from 'procvision-runner';
import { EXIT, usage } from '../host.js';
import type { Call } from '../spec.js';
import { findActive, findFile, findVersion, newFile, withRunner } from '../store.js';
import { supervisorOptions } from '../supervisor-options.js';
import { formatTime, Progress } from '../terminal/progress.js';

interface Given {
  against?: string;
  productId?: string;
  step?: number;
  params?: Record<string, unknown>;
  guide?: string;
  timeout?: number;
  acceptable?: number;
  rejectable?: number;
  alpha?: number;
  beta?: number;
  seed?: number;
  stop?: boolean;
  orientation?: 'apply' | 'ignore';
  toEightBits?: AcceptanceOptions['toEightBits'];
  decode?: AcceptanceOptions['decode'];
  report?: string;
}

export async function run(call: Call): Promise<number> {
  const { out, host, signal } = call;
  const given = call.options as Given;
  const { guide, report: file } = given;
  return withRunner(
    call,
    async (runner) => {
      const folder = await findFile(call, call.words[0] ?? '', 'folder of pictures');
      const { target, productId } = await targetOf(call, runner.registry);
      const against = given.against === undefined ? undefined : { ...target, version: given.against };
      if (against) await findVersion(runner.registry, against.name, against.version);
      const { acceptance } = await import('procvision-runner');
      const progress = new Progress(host);
      const report = await acceptance(runner, folder, {
        ...{ target, against, signal },
        productId: given.productId ?? productId,
        stepIndex: given.step,
        userParams: given.params,
        guideImage:
          guide === undefined || guide === 'same' ? guide : await findFile(call, guide, 'guide picture'),
        timeoutMs: given.timeout,
        ...{ acceptableRate: given.acceptable, rejectableRate: given.rejectable },
        ...{ alpha: given.alpha, beta: given.beta, seed: given.seed, stopWhenDecided: given.stop },
        ...{ orientation: given.orientation, toEightBits: given.toEightBits, decode: given.decode },
        report: file === undefined ? undefined : await newFile(call, file),
        onProgress: ({ done, total, file: picture }) => progress.count(done, total, picture),
      }).finally(() => progress.end());
      out.result(report, () => account(report, call));
      for (const { message } of report.unreadable) out.warn(message);
      if (report.ignored.length > 0)
        out.warn(
          `${report.ignored.length} files are no pictures by their endings: ${report.ignored.slice(0, 5).join(', ')}`,
        );
      return report.decision === 'accepted' ? EXIT.done : EXIT.failed;
    },
    { supervisor: supervisorOptions(call.options) },
  );
}

/** A name and a version, or a product id that is active. */
async function targetOf(
  { words: [, first = '', version] }: Call,
  registry: Parameters<typeof findVersion>[0],
): Promise<{ target: VersionRef; productId?: string }> {
  if (version !== undefined) {
    await findVersion(registry, first, version);
    return { target: { name: first, version } };
  }
  const entries = await registry.list();
  const active = await registry.active();
  if (!active[first] && entries.some(({ name }) => name === first)) {
    throw usage(`accept takes a name and a version: accept FOLDER ${first} VERSION`);
  }
  const [mapping] = await findActive(registry, [first]);
  return { target: { name: mapping?.name ?? '', version: mapping?.version ?? '' }, productId: first };
}

function account(report: AcceptanceReport, { out }: Call): string {
  const { decision, decidedAfter, missing, target, against, pictures, changed, test } = report;
  const { red, green, yellow } = out.style;
  const paint = decision === 'accepted' ? green : decision === 'rejected' ? red : yellow;
  const how =
    decision === 'undecided'
      ? `${missing} more pictures with the right verdict would lead to acceptance`
      : `after ${decidedAfter ?? 0} of ${pictures.length} pictures`;
  const changes = changed.map(
    ({ file, expected, verdict, against: before }) =>
      `  ${file}: expected ${expected}, ${before?.verdict ?? '?'} before, ${verdict} now`,
  );
  return [
    `${target.name} ${target.version}: ${paint(decision)}, ${how}`,
    `sequential test of wrong verdicts: ${test.acceptableRate} acceptable, ${test.rejectableRate} not, alpha ${test.alpha}, beta ${test.beta}`,
    ...[target, ...(against ? [against] : [])].map((one) => `\n${tableOf(one)}`),
    ...(against ? [`\nchanged against ${against.version}: ${changed.length}`, ...changes] : []),
  ].join('\n');
}

function tableOf({ name, version, confusion, escapes, falseRejects, times }: AcceptanceSummary): string {
  const rows = (['OK', 'NG'] as const).map((expected) =>
    [
      `  ${expected} pictures`,
      ...Object.entries(confusion[expected]).map(([verdict, count]) => `${verdict} ${count}`),
    ].join('  '),
  );
  const time =
    times.p50Ms === undefined
      ? []
      : [
          `  time         median ${formatTime(times.p50Ms)}, 95 % ${formatTime(times.p95Ms ?? 0)}, longest ${formatTime(times.maxMs ?? 0)}`,
        ];
  const errors = `  NG passed as OK: ${escapes}, OK refused as NG: ${falseRejects}`;
  return [`${name} ${version}`, ...rows, errors, ...time].join('\n');
}
