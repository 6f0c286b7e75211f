/** The results as lines for people. */
import type { BuildFacts, CaseResult, RunRecord } from './records.js';

export function inShort(value: number): string {
  if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}

export function buildInWords({ version, commit, changed }: BuildFacts): string {
  const at = commit === undefined ? '' : ` at ${commit}`;
  return `${version}${at}${changed === true ? ' with changes' : ''}`;
}

export function heading({ build, against, machine, versions, mode }: RunRecord): string {
  const { system, cpu, cores, load } = machine;
  const what = against ? `${buildInWords(build)} against ${buildInWords(against)}` : buildInWords(build);
  return `${what}, ${mode}\n${system}, ${cores} x ${cpu}, Node ${versions.node}, load ${load}`;
}

/** Each on a line of its own; an error has as many as it needs. */
export function linesOf(results: readonly CaseResult[]): string[] {
  return results.map((result) => {
    switch (result.kind) {
      case 'figure': {
        const { median, min, max, unit, samples } = result;
        const range = samples.length > 1 ? `  (${inShort(min)} to ${inShort(max)})` : '';
        const name = `${result.case} ${result.figure}`.padEnd(50);
        return `       ${name} ${result.contestant.padEnd(36)} ${inShort(median)} ${unit}${range}`;
      }
      case 'pair': {
        const { ours, other, unit, ratio, ratios } = result;
        const spread = ({ median, min, max }: typeof ours) =>
          `${inShort(median)} (${inShort(min)} to ${inShort(max)})`;
        return [
          `       ${result.case} ${result.figure}, ${result.contestant}, ${unit} (${result.better} is better)`,
          `         this ${spread(ours)}, other ${spread(other)}, ratio ${inShort(ratio)}`,
          `         pairs ${ratios.map(inShort).join(' ')}`,
        ].join('\n');
      }
      case 'bar': {
        const name = `${result.case} ${result.figure}`.padEnd(50);
        const goal = `${inShort(result.value)}, goal ${result.goal}`;
        return `${result.pass ? 'pass  ' : 'MISS  '} ${name} ${result.contestant.padEnd(36)} ${goal}`;
      }
      case 'skipped':
        return `skip   ${result.case}${comma(result.contestant)}: ${result.reason}`;
      case 'failed':
        return `FAILED ${result.case}${comma(result.contestant)}${result.build === 'other' ? ' (other build)' : ''}: ${result.error}`;
      case 'case':
        return `       ${result.case} took ${result.seconds} s, load ${result.load.join(' to ')}`;
    }
  });
}

function comma(contestant: string | undefined): string {
  return contestant === undefined ? '' : `, ${contestant}`;
}

export function summary(results: readonly CaseResult[], seconds: number): string {
  const count = (kind: CaseResult['kind']) => results.filter((result) => result.kind === kind).length;
  const missed = results.filter((result) => result.kind === 'bar' && !result.pass).length;
  const parts = [`${count('case')} cases in ${Math.round(seconds)} s`, `${count('failed')} failed`];
  if (count('skipped') > 0) parts.push(`${count('skipped')} skipped`);
  if (count('bar') > 0) parts.push(`${missed} of ${count('bar')} goals missed`);
  return parts.join(', ');
}
