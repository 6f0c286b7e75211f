/** Verdicts, the newest first: those of this page with their pictures, those of other callers as the events tell them. */
import { open } from './dialogs.mjs';
import { badge, facts, failure, make, viewOf } from './dom.mjs';
import { labelOf, verdictOf } from './marks.mjs';
import { thumbnail } from './picture.mjs';
import { onEvent } from './station.mjs';
import { onLanguage, timeOf } from './words.mjs';
import { windowed } from './windowed.mjs';

const MOST = 10_000;
/** Small pictures that are kept: each is a few thousand bytes. */
const MOST_THUMBS = 500;
const FILTERS = ['all', 'OK', 'NG', 'ERROR', 'FAILED'];

let entries = [];
const byKey = new Map();
const withThumbs = [];
let filter = 'all';
let added = 0;
let frame = 0;
let list;
const counts = make('p.counts');

const keyOf = ({ key }) => key;
const stampOf = ({ thumb, verdict }) => `${thumb ?? ''} ${verdict}`;

/** Takes a verdict in; one of this page comes twice, by its answer and by its event. */
function take(entry) {
  const known = byKey.get(entry.key);
  if (known) {
    Object.assign(known, entry);
  } else {
    byKey.set(entry.key, entry);
    entries.unshift(entry);
    if (filter === 'all' || filter === entry.verdict) added++;
    while (entries.length > MOST) byKey.delete(entries.pop().key);
  }
  // Events come by the thousand: they are shown once for each picture of the screen.
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    show();
  });
}

function show() {
  const seen = filter === 'all' ? entries : entries.filter(({ verdict }) => verdict === filter);
  list.show(seen, added);
  added = 0;
  const tally = { OK: 0, NG: 0, ERROR: 0, FAILED: 0 };
  for (const { verdict } of entries) if (verdict in tally) tally[verdict]++;
  counts.replaceChildren(
    ...Object.entries(tally).map(([verdict, count]) =>
      make('span', {}, badge(verdict, `verdict${verdict}`), ` ${count}`),
    ),
  );
}

const ofResult = ({ result, productId, at }) => ({
  ...{ key: result.requestId, at, productId, name: result.name, version: result.version, result },
  ...{ verdict: verdictOf(result), ms: result.timing.totalMs },
  why: result.status === 'ERROR' ? result.message : (result.data.ng_reason ?? ''),
});

/** A verdict that this page has asked for, with its picture. */
export async function remember(result, productId, picture) {
  const entry = ofResult({ result, productId, at: new Date().toISOString() });
  take({ ...entry, file: picture.file, at: byKey.get(entry.key)?.at ?? entry.at });
  const small = await thumbnail({ ...picture, result });
  const kept = byKey.get(entry.key);
  if (!small || !kept) return;
  withThumbs.push(kept);
  if (withThumbs.length > MOST_THUMBS) {
    const oldest = withThumbs.shift();
    URL.revokeObjectURL(oldest.thumb);
    oldest.thumb = undefined;
  }
  take({ ...kept, thumb: URL.createObjectURL(small) });
}

function row(entry) {
  const { thumb, verdict, why, productId = '', name = '', version = '', at, ms } = entry;
  const small = thumb
    ? make('img.thumb', { src: thumb, alt: '' })
    : make('span.thumb', { 'aria-hidden': 'true' });
  return make(
    'button.line',
    { on: { click: () => details(entry) } },
    small,
    badge(verdict, `verdict${verdict === '?' ? 'None' : verdict}`),
    make(
      'span.text',
      {},
      make('strong', {}, productId || name),
      make('span', {}, why || `${name} ${version}`),
    ),
    make(
      'span.when',
      {},
      make('span', {}, timeOf(at)),
      make('span', {}, ms === undefined ? '' : `${ms.toFixed(0)} ms`),
    ),
  );
}

function details({ thumb, verdict, why, productId, name, version, at, ms, result, error, file }) {
  const boxes = result?.data.defect_rects ?? [];
  open(
    { w: 'verdictTitle' },
    [
      make('p', {}, badge(verdict, `verdict${verdict === '?' ? 'None' : verdict}`)),
      ...(thumb ? [make('img', { src: thumb, alt: '' })] : []),
      facts([
        ['productId', productId],
        ['version', name && `${name} ${version}`],
        ['reason', why],
        ['time', timeOf(at)],
        ['took', ms === undefined ? undefined : `${ms.toFixed(1)} ms`],
        ['file', file?.name],
        ['request', result?.requestId],
        ['boxes', boxes.map((box, index) => labelOf(box, index)).join(', ')],
      ]),
      ...(result?.exception
        ? [make('pre', { tabIndex: 0, role: 'group', wLabel: 'traceback' }, result.exception.traceback ?? '')]
        : []),
      ...(error ? [failure({ problem: error })] : []),
    ],
    { className: 'drawer' },
  );
}

export function build() {
  list = windowed({ render: row, keyOf, stampOf, none: 'noVerdicts', label: 'navHistory' });
  const select = make(
    'select',
    {
      wLabel: 'filter',
      on: {
        change: () => {
          filter = select.value;
          show();
        },
      },
    },
    FILTERS.map((value) => make('option', { value, w: value === 'all' ? 'all' : `verdict${value}` })),
  );
  viewOf('history').append(
    make('div.bar', {}, make('h2', { w: 'navHistory' }), counts, select),
    list.element,
  );
  onEvent('result', (event) => {
    if (event.phase === 'execute') take(ofResult(event)); // the phase before has no verdict
  });
  onEvent('callFailed', ({ requestId, productId, name, version, error, at }) =>
    take({
      ...{ key: requestId ?? at, at, productId, name, version, error },
      verdict: 'FAILED',
      why: error.detail,
    }),
  );
  onLanguage(() => list.renew());
  show();
}
