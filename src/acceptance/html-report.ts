import type { OperationOptions } from '../abort.js';
import { PictureDecoder } from '../frames/decoding/picture-decoder.js';
import type { EncodedInput } from '../frames/types.js';
import { drawResult } from './drawing/annotate.js';
import { COLOURS, colourOf, cssColour, labelOf } from './drawing/marks.mjs';
import { VERDICTS } from './summary.js';
import type { AcceptanceReport, AcceptanceSummary, InspectedPicture, PictureAnswer } from './types.js';

/** Pictures that are shown, at most: those with a wrong verdict first, then those that changed. */
const MOST_SHOWN = 100;
/** Pixels of the longer side of a picture in the report. */
const SHOWN_SIDE = 480;

const { OK, NG, ERROR } = COLOURS;
const STYLE = `
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1c1c1c; background: #fff }
table { border-collapse: collapse; margin: .5rem 0 1.5rem } th, td { border: 1px solid #ccc; padding: .25rem .6rem; text-align: left }
td.n { text-align: right; font-variant-numeric: tabular-nums } td.bad { background: #fbe3e3 } td.good { background: #e2f3e6 }
.accepted { color: ${cssColour(OK)} } .rejected { color: ${cssColour(NG)} } .undecided { color: ${cssColour(ERROR)} }
.verdict { padding: 0 .5em; border-radius: .2em; color: #fff; font-weight: 600 }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0; max-width: 480px } img { max-width: 100%; display: block }
figcaption { font-size: .9em; overflow-wrap: anywhere }
`;

/** Text of a picture or a message within HTML. */
function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The whole report as one file, its pictures in it. `imageOf`: a picture by its name. */
export async function htmlReport(
  report: AcceptanceReport,
  imageOf: (name: string) => EncodedInput,
  o: OperationOptions = {},
): Promise<string> {
  const { target, against, changed, pictures, unreadable, ignored } = report;
  const title = `${target.name} ${target.version}: ${report.decision}`;
  const shown = choose(pictures, changed);
  const figures = await figuresOf(shown, imageOf, report, o);
  const parts = [
    `<h1 class="${report.decision}">${escaped(title)}</h1>`,
    `<p>${escaped(accountOf(report))}</p>`,
    ...[target, ...(against ? [against] : [])].map(summaryInHtml),
    timesInHtml([target, ...(against ? [against] : [])]),
    ...(against
      ? [`<h2>Changed against ${escaped(nameOf(against))}: ${changed.length}</h2>`, changedInHtml(changed)]
      : []),
    `<h2>Pictures</h2><p>${shown.length} of ${pictures.length} are shown: wrong verdicts first, then changed ones.</p>`,
    `<div class="pictures">${figures.join('\n')}</div>`,
    listInHtml(
      'Pictures that could not be read, which count nowhere',
      unreadable.map(({ message }) => message),
    ),
    listInHtml('Files that are no pictures by their endings', ignored),
    `<h2>All verdicts</h2>${allInHtml(pictures)}`,
  ];
  return `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title><style>${STYLE}</style></head>\n<body>\n${parts.filter((part) => part !== '').join('\n')}\n</body></html>\n`;
}

function choose(pictures: readonly InspectedPicture[], changed: readonly InspectedPicture[]) {
  const order = [...pictures.filter(({ isRight }) => !isRight), ...changed, ...pictures];
  return [...new Set(order)].slice(0, MOST_SHOWN);
}

/** What was decided, and by what. */
export function accountOf(report: AcceptanceReport): string {
  const { test, target, pictures, decidedAfter, missing } = report;
  const rates = `${percent(test.acceptableRate)} wrong verdicts are acceptable, ${percent(test.rejectableRate)} are not`;
  const bounds = `a good version is rejected in at most ${percent(test.alpha)} of the cases, a bad one accepted in at most ${percent(test.beta)}`;
  const outcome =
    report.decision === 'undecided'
      ? `Undecided after ${pictures.length} pictures with ${target.wrong} wrong verdicts: ${missing} more with the right verdict would lead to acceptance.`
      : `${report.decision === 'accepted' ? 'Accepted' : 'Rejected'} after ${decidedAfter ?? 0} of ${pictures.length} pictures; ${target.wrong} verdicts are wrong in all.`;
  return `${outcome} Sequential test (SPRT): ${rates}; ${bounds}. Order of the pictures: seed ${report.seed}.`;
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(4))} %`;
}

function nameOf({ name, version }: AcceptanceSummary): string {
  return `${name} ${version}`;
}

function summaryInHtml(summary: AcceptanceSummary): string {
  const { confusion, wrong, escapes, falseRejects } = summary;
  const cell = (expected: 'OK' | 'NG', verdict: (typeof VERDICTS)[number]) => {
    const count = confusion[expected][verdict];
    const kind = verdict === expected ? ' good' : count > 0 ? ' bad' : '';
    return `<td class="n${kind}">${count}</td>`;
  };
  const row = (expected: 'OK' | 'NG') =>
    `<tr><th scope="row">${expected} pictures</th>${VERDICTS.map((verdict) => cell(expected, verdict)).join('')}</tr>`;
  const head = VERDICTS.map((verdict) => `<th scope="col">${verdict}</th>`).join('');
  return (
    `<h2>${escaped(nameOf(summary))}</h2>` +
    `<p>${wrong} wrong: ${escapes} NG pictures passed as OK, ${falseRejects} OK pictures refused as NG, ${wrong - escapes - falseRejects} without a verdict.</p>` +
    `<table><tr><th></th>${head}</tr>${row('OK')}${row('NG')}</table>`
  );
}

function timesInHtml(summaries: readonly AcceptanceSummary[]): string {
  const cell = (ms: number | undefined) => `<td class="n">${ms === undefined ? '' : ms.toFixed(1)}</td>`;
  const rows = summaries.map((summary) => {
    const { p50Ms, p95Ms, maxMs, count } = summary.times;
    return `<tr><th scope="row">${escaped(nameOf(summary))}</th><td class="n">${count}</td>${[p50Ms, p95Ms, maxMs].map(cell).join('')}</tr>`;
  });
  const head = ['', 'answers', 'median ms', '95 % ms', 'longest ms'].map((one) => `<th>${one}</th>`).join('');
  return `<h2>Times</h2><table><tr>${head}</tr>${rows.join('')}</table>`;
}

function changedInHtml(changed: readonly InspectedPicture[]): string {
  if (changed.length === 0) return '<p>Both versions agree on every picture.</p>';
  const rows = changed.map(({ file, expected, verdict, isRight, against }) => {
    const what = isRight ? 'mended' : against?.isRight ? 'broken' : 'wrong in both';
    return `<tr>${[file, expected, against?.verdict ?? '', verdict, what].map((one) => `<td>${escaped(one)}</td>`).join('')}</tr>`;
  });
  return `<table><tr><th>picture</th><th>expected</th><th>before</th><th>now</th><th></th></tr>${rows.join('')}</table>`;
}

function allInHtml(pictures: readonly InspectedPicture[]): string {
  const rows = pictures.map(({ file, expected, isRight, ...answer }) => {
    const time = answer.timeMs === undefined ? '' : answer.timeMs.toFixed(1);
    return (
      `<tr><td>${escaped(file)}</td><td>${expected}</td><td class="${isRight ? 'good' : 'bad'}">${badgeOf(answer.verdict)}</td>` +
      `<td class="n">${time}</td><td>${escaped(reasonOf(answer))}</td></tr>`
    );
  });
  return `<table><tr><th>picture</th><th>expected</th><th>verdict</th><th>ms</th><th>reason</th></tr>${rows.join('')}</table>`;
}

function reasonOf({ result, error }: PictureAnswer): string {
  if (error) return `${error.code}: ${error.message}`;
  const reason = result?.status === 'ERROR' ? result.message : result?.data.ng_reason;
  return typeof reason === 'string' ? reason : '';
}

async function figuresOf(
  shown: readonly InspectedPicture[],
  imageOf: (name: string) => EncodedInput,
  report: AcceptanceReport,
  o: OperationOptions,
): Promise<string[]> {
  const decoder = new PictureDecoder();
  const figures: string[] = [];
  try {
    for (const picture of shown) {
      figures.push(await figureOf(picture, imageOf(picture.file), report, { ...o, decoder }));
    }
    return figures;
  } finally {
    await decoder.close();
  }
}

async function figureOf(
  picture: InspectedPicture,
  image: EncodedInput,
  { target, against }: AcceptanceReport,
  o: OperationOptions & { decoder: PictureDecoder },
): Promise<string> {
  const answers = [
    { by: target, answer: picture as PictureAnswer },
    ...(against && picture.against && picture.against.verdict !== picture.verdict
      ? [{ by: against, answer: picture.against as PictureAnswer }]
      : []),
  ];
  const parts: string[] = [];
  for (const { by, answer } of answers) {
    const drawn = answer.result ?? { status: 'ERROR' as const, data: {} };
    const png = await drawResult(image, drawn, { ...o, maxSide: SHOWN_SIDE });
    const caption = `${picture.file}: expected ${picture.expected}, ${nameOf(by)} says ${answer.verdict}. ${reasonOf(answer)}`;
    parts.push(
      `<figure><img alt="${escaped(caption)}" src="data:image/png;base64,${png.toString('base64')}">` +
        `<figcaption>${badgeOf(answer.verdict)} ${escaped(caption)}${boxesOf(answer)}</figcaption></figure>`,
    );
  }
  return parts.join('\n');
}

/** A verdict as a word on its colour. */
function badgeOf(verdict: string): string {
  return `<span class="verdict" style="background:${cssColour(colourOf(verdict))}">${escaped(verdict)}</span>`;
}

/** The boxes by the numbers that the picture has. */
function boxesOf({ result }: PictureAnswer): string {
  const boxes = result?.data.defect_rects ?? [];
  if (boxes.length === 0) return '';
  return ` Boxes: ${escaped(boxes.map((box, index) => labelOf(box, index)).join(', '))}.`;
}

function listInHtml(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return '';
  return `<h2>${title}: ${lines.length}</h2><ul>${lines.map((line) => `<li>${escaped(line)}</li>`).join('')}</ul>`;
}
