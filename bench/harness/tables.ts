/** Results as the tables of docs/performance.md. */
import { buildInWords, inShort } from './print.js';
import type { BarRecord, BenchRecord, CaseRecord, CaseResult, FigureRecord, RunRecord } from './records.js';

const BEGIN = '<!-- results: written by npm run bench:report -->\n';
const END = '<!-- results: end -->\n';

/** Records of a result file; those of a quick run or of a comparison of builds are no figures for the page. */
export function parseRecords(text: string): BenchRecord[] {
  const records = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as BenchRecord);
  const [run] = records;
  if (run?.kind !== 'run') throw new Error('The results do not begin with what they were taken on');
  if (run.mode !== 'full' || run.against) throw new Error('The page is written from a full run of one build');
  return records;
}

/** The later run with what it has; of the earlier one the cases that the later one does not have. */
export function mergeRecords(earlier: readonly BenchRecord[], later: readonly BenchRecord[]): BenchRecord[] {
  const has = new Set(resultsOf(later).map((result) => result.case));
  const kept = resultsOf(earlier).filter((result) => !has.has(result.case));
  const all = [...kept, ...resultsOf(later)];
  const order = [...new Set(all.map((result) => result.case))].sort();
  return [
    ...later.filter(({ kind }) => kind === 'run'),
    ...order.flatMap((name) => all.filter((result) => result.case === name)),
  ];
}

/** The page with its part between the marks written anew. */
export function performancePage(page: string, records: readonly BenchRecord[]): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`The page has no part from ${BEGIN.trim()} to ${END.trim()}`);
  return page.slice(0, begin + BEGIN.length) + tablesOf(records) + page.slice(end);
}

function resultsOf(records: readonly BenchRecord[]): CaseResult[] {
  return records.filter((record) => record.kind !== 'run');
}

const isOf =
  <K extends BenchRecord['kind']>(kind: K) =>
  (record: BenchRecord): record is Extract<BenchRecord, { kind: K }> =>
    record.kind === kind;

function tablesOf(records: readonly BenchRecord[]): string {
  const run = records.find(isOf('run'));
  const cases = records.filter(isOf('case'));
  if (!run) throw new Error('The results do not say what they were taken on');
  const groups = [...new Set(cases.map((one) => groupOf(one.case)))];
  const sections = groups.map((group) => {
    const own = cases.filter((one) => groupOf(one.case) === group);
    return [`### ${group}`, ...own.map((one) => caseTable(one, records))].join('\n\n');
  });
  return `\n${[machineTable(run, cases), ...sections].join('\n\n')}\n\n`;
}

function groupOf(name: string): string {
  return name.split('/')[0] ?? name;
}

function machineTable(run: RunRecord, cases: readonly CaseRecord[]): string {
  const { system, cpu, cores, memoryGiB } = run.machine;
  const loads = cases.flatMap(({ load }) => load);
  const dates = cases.map(({ date }) => date.slice(0, 10)).sort();
  const [first = '', last = ''] = [dates[0], dates.at(-1)];
  const rows = [
    ['Measured', first === last ? first : `${first} to ${last}`],
    ['Build', buildInWords(run.build)],
    ['Machine', `${system}, ${cores} x ${cpu}, ${memoryGiB} GiB`],
    [
      'Load',
      `${inShort(Math.min(...loads))} to ${inShort(Math.max(...loads))} processes wanted one of its ${cores} cores (average of a minute, the case itself among them)`,
    ],
    ...Object.entries(run.versions),
  ];
  return ['| | |', '| --- | --- |', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n');
}

function caseTable(one: CaseRecord, records: readonly BenchRecord[]): string {
  const own = resultsOf(records).filter((record) => record.case === one.case);
  const figures = own.filter(isOf('figure'));
  const rounds = `${one.rounds} ${one.rounds === 1 ? 'round' : 'rounds'}`;
  const about = `${rounds}, load ${one.load.map(inShort).join(' to ')}, ${one.date.slice(0, 10)}${one.commit === undefined ? '' : `, ${one.commit}`}`;
  const lines = [`**\`${one.case}\`** ${one.measures} (${about}).`];
  if (figures.length > 0) lines.push(figureTable(figures));
  const notes = [
    ...own.filter(isOf('bar')).map(goalLine),
    ...own
      .filter(isOf('skipped'))
      .map((r) => `- ${r.contestant ?? 'All'}: not measured. ${oneLine(r.reason)}`),
    ...own.filter(isOf('failed')).map((r) => `- ${r.contestant ?? 'All'}: failed. ${oneLine(r.error)}`),
  ];
  if (notes.length > 0) lines.push(notes.join('\n'));
  return lines.join('\n\n');
}

/** A row for each contestant, a column for each figure: the median, and from the lowest to the highest. */
function figureTable(figures: readonly FigureRecord[]): string {
  const names = [...new Set(figures.map(({ figure }) => figure))];
  const contestants = [...new Set(figures.map(({ contestant }) => contestant))];
  const heads = names.map((name) => `${name}, ${figures.find(({ figure }) => figure === name)?.unit ?? ''}`);
  const rows = contestants.map((contestant) => {
    const cells = names.map((name) => {
      const found = figures.find((one) => one.figure === name && one.contestant === contestant);
      if (!found) return '';
      const { median, min, max, samples } = found;
      return samples.length === 1
        ? inShort(median)
        : `${inShort(median)} (${inShort(min)} to ${inShort(max)})`;
    });
    return `| ${[contestant, ...cells].join(' | ')} |`;
  });
  return [`| | ${heads.join(' | ')} |`, `| --- |${' --- |'.repeat(names.length)}`, ...rows].join('\n');
}

function goalLine({ figure, contestant, value, goal, pass }: BarRecord): string {
  return `- ${figure} of ${contestant}: ${inShort(value)}, goal ${goal}: ${pass ? 'met' : '**missed**'}`;
}

function oneLine(text: string): string {
  return (text.split('\n')[0] ?? '').trim();
}
