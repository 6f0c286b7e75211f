import { stat } from 'node:fs/promises';
import type { doctor as doctorCall, Finding } from 'procvision-runner';
import { EXIT, usage } from '../host.js';
import type { Call } from '../spec.js';
import { findFile } from '../store.js';

/** A deployed version, a package, or neither. */
type Target = NonNullable<Parameters<typeof doctorCall>[1]>;

export async function run(call: Call): Promise<number> {
  const { options, out, root, signal } = call;
  const { doctor } = await import('procvision-runner');
  const target = await targetOf(call);
  const look = () => doctor(root, { ...target, verify: options.verify !== false, signal });
  let findings = await look();
  const fixed: string[] = [];
  if (options.fix === true) {
    // One fix may put several things right, and a second may show only after the first.
    const tried = new Set<string>();
    for (let next = nextFix(findings, tried); next; next = nextFix(findings, tried)) {
      tried.add(keyOf(next));
      out.say(`${next.id}: ${next.what}: ${next.fix?.what ?? ''}`);
      try {
        await next.fix?.apply({ signal });
      } catch (error) {
        if (signal.aborted) throw error;
        out.warn(`${next.id} could not be put right: ${(error as Error).message}`);
        continue;
      }
      findings = await look();
      if (!findings.some((one) => keyOf(one) === keyOf(next))) fixed.push(`${next.id}: ${next.what}`);
    }
  }
  out.result({ findings, fixed }, () => textOf(call, findings, fixed));
  return findings.some(({ severity }) => severity !== 'note') ? EXIT.failed : EXIT.done;
}

function nextFix(findings: readonly Finding[], tried: ReadonlySet<string>): Finding | undefined {
  return findings.find((one) => one.fix && !tried.has(keyOf(one)));
}

function keyOf({ id, what }: Finding): string {
  return `${id} ${what}`;
}

/** A deployed version, a package that is not, or the whole station. */
async function targetOf(call: Call): Promise<Target> {
  const { words, options } = call;
  const [given, version] = words;
  if (given === undefined) {
    if (options.start === true) throw usage('--start takes a version: doctor NAME VERSION --start');
    return {};
  }
  if (version !== undefined) return { name: given, version, start: options.start === true };
  const isFile = await stat(call.path(given)).then(
    (found) => found.isFile(),
    () => false,
  );
  if (isFile || /\.zip$/i.test(given)) return { package: await findFile(call, given) };
  throw usage(`doctor takes nothing, a name and a version, or a zip: doctor ${given} VERSION`);
}

function textOf({ out }: Call, findings: readonly Finding[], fixed: readonly string[]): string {
  const { red, yellow, dim, green } = out.style;
  const colour = { error: red, warning: yellow, note: dim };
  const lines = findings.flatMap(({ id, severity, what, why, remedy, fix }) => [
    `${colour[severity](severity)} ${id}: ${what}`,
    `  ${dim('why')}  ${why}`,
    `  ${dim('do')}   ${remedy}`,
    ...(fix ? [`  ${dim('fix')}  doctor --fix ${fix.what}`] : []),
  ]);
  if (fixed.length > 0) lines.push(...fixed.map((one) => `${green('put right')} ${one}`));
  return lines.length > 0 ? lines.join('\n') : green('Nothing was found: the station is sound');
}
