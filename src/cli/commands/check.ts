import { EXIT } from '../host.js';
import type { Call } from '../spec.js';
import { findFile } from '../store.js';
import { Progress } from '../terminal/progress.js';

const MARKS = { PASS: 'green', FAIL: 'red', SKIP: 'dim' } as const;

export async function run(call: Call): Promise<number> {
  const { out, signal, options, host } = call;
  const target = await findFile(call, call.words[0] ?? '', 'package');
  const { PackageValidator, VenvManager } = await import('procvision-runner');
  const venvs = new VenvManager({ installer: 'link' });
  const validator = new PackageValidator({
    venvs,
    smoke: options.run !== false,
    boundaryCases: options.boundaryCases as 'off' | 'warn' | 'fail',
    startupCode: options.refuseStartupCode ? 'refuse' : 'allow',
  });
  const progress = new Progress(host);
  let checks = 0;
  validator.on('check', ({ name }) => {
    if (host.stderr.isTTY) progress.count(++checks, Math.max(checks, 24), name);
  });
  const report = await validator.validate(target, { signal });
  progress.end();
  out.result(report, () => {
    const lines = report.checks.map(
      ({ result, name, message }) => `${out.style[MARKS[result]](result)}  ${name}  ${message}`,
    );
    const { status, passed, failed, skipped } = report.summary;
    return [
      ...lines,
      `${out.style[MARKS[status]](status)}: ${passed} passed, ${failed} failed, ${skipped} skipped`,
    ].join('\n');
  });
  for (const warning of report.warnings ?? []) out.warn(warning);
  const traceback = report.error?.details.traceback;
  if (traceback !== undefined) out.say(out.messageStyle.dim(traceback.trimEnd()));
  return report.summary.status === 'PASS' ? EXIT.done : EXIT.failed;
}
