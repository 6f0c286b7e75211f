/** Verdicts, the newest first: those of this page with their pictures, those of other callers as the events tell them. */
import { send } from './api.mjs';
import { open } from './dialogs.mjs';
import { badge, facts, failure, make, viewOf } from './dom.mjs';
import { labelOf, verdictOf } from './marks.mjs';
import { decoded, pictureView, thumbnail } from './picture.mjs';
import { onEvent } from './station.mjs';
import { onLanguage, timeOf } from './words.mjs';
import { windowed } from './windowed.mjs';

const MOST = 10_000;
/** Small pictures that are kept: each is a few thousand bytes. */
const MOST_THUMBS = 500;
/** Pictures that are asked for at once, and that wait for it. */
const [MOST_FETCHING, MOST_WAITING] = [3, 60];
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

/** Keeps the small picture of a verdict, as long as there are not too many. */
function keepThumb(kept, small) {
  if (kept.thumb) URL.revokeObjectURL(kept.thumb);
  else withThumbs.push(kept);
  if (withThumbs.length > MOST_THUMBS) {
    const oldest = withThumbs.shift();
    URL.revokeObjectURL(oldest.thumb);
    oldest.thumb = undefined;
  }
  take({ ...kept, thumb: URL.createObjectURL(small) });
}

/** Verdicts in sight whose picture another caller has sent: the station keeps those of the last ones. The newest is asked for first. */
const waiting = [];
let fetching = 0;
let isServed = true;

function want(entry) {
  if (entry.isAsked || entry.file || !isServed) return;
  entry.isAsked = true;
  waiting.push(entry);
  if (waiting.length > MOST_WAITING) waiting.shift();
  pump();
}

function pump() {
  while (fetching < MOST_FETCHING && waiting.length > 0) {
    fetching++;
    fetchThumb(waiting.pop()).finally(() => {
      fetching--;
      pump();
    });
  }
}

async function fetchThumb(entry) {
  try {
    const answer = await send(`thumbnails/${encodeURIComponent(entry.key)}`, { expected: [404] });
    if (!answer.ok) return; // it is too old
    const bitmap = await createImageBitmap(await answer.blob());
    const [width, height] = ['x-image-width', 'x-image-height'].map((name) =>
      Number(answer.headers.get(name)),
    );
    const small = await thumbnail({ bitmap, width, height, result: entry.result });
    bitmap.close();
    if (small && !entry.thumb && byKey.has(entry.key)) keepThumb(entry, small);
  } catch (error) {
    // Not for this page, or the station is away: then it is asked for when the verdict is next in sight.
    if (error.isAway) entry.isAsked = false;
    else isServed = false;
  }
}

/** A verdict that this page has asked for, with its picture. */
export async function remember(result, productId, picture) {
  const entry = ofResult({ result, productId, at: new Date().toISOString() });
  take({ ...entry, file: picture.file, at: byKey.get(entry.key)?.at ?? entry.at });
  const small = await thumbnail({ ...picture, result });
  const kept = byKey.get(entry.key);
  if (small && kept) keepThumb(kept, small);
}

function row(entry) {
  const { thumb, verdict, why, productId = '', name = '', version = '', at, ms, error } = entry;
  if (!thumb) want(entry);
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
      make('span', { ...(error && { w: `failure_${error.code}`, wElse: why }) }, why || `${name} ${version}`),
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
  const large = make(
    'div.stage',
    { hidden: true },
    make('canvas', { role: 'img', 'aria-label': file?.name ?? '' }),
  );
  const small = make('img', { src: thumb ?? '', alt: '', hidden: !thumb });
  const view = file && result && pictureView(large.firstElementChild, large);
  if (view) {
    void decoded(file).then((shown) => {
      if (!shown.bitmap || !large.isConnected) return;
      large.hidden = false;
      small.hidden = true;
      view.show({ ...shown, result });
    });
  }
  open(
    { w: 'verdictTitle' },
    [
      make('p', {}, badge(verdict, `verdict${verdict === '?' ? 'None' : verdict}`)),
      small,
      large,
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
    { className: 'drawer', onClose: () => view?.show(undefined) },
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
