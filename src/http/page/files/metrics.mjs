/** Live figures as small charts: what `GET /metrics` tells (OpenMetrics 1.0), asked for while it is looked at. */
import { send } from './api.mjs';
import { make, svg, table, viewOf } from './dom.mjs';
import { onChange, station } from './station.mjs';
import { bytesOf, durationOf, numberOf } from './words.mjs';

const EVERY_MS = 2_000;
const MOST = 150;
const [WIDTH, HEIGHT] = [300, 64];

/** The samples of a text of OpenMetrics: sums of each metric over its labels, and by one label. */
export function samplesOf(text) {
  const sums = new Map();
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = /^([a-z_:][\w:]*)(?:\{(.*)\})? (\S+)/i.exec(line) ?? [];
    if (name === undefined) continue;
    const number = Number(value);
    if (!Number.isFinite(number)) continue;
    const add = (key) => sums.set(key, (sums.get(key) ?? 0) + number);
    add(name);
    for (const [, label, content] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
      add(`${name}{${label}=${content}}`);
  }
  return sums;
}

const rate = (key) => (now, before, seconds) =>
  before ? Math.max(0, (now.get(key) ?? 0) - (before.get(key) ?? 0)) / seconds : undefined;
const level = (key) => (now) => now.get(key);
const mean = (name) => (now, before) => {
  const count = (now.get(`${name}_count`) ?? 0) - (before?.get(`${name}_count`) ?? 0);
  return before && count > 0
    ? (((now.get(`${name}_sum`) ?? 0) - (before.get(`${name}_sum`) ?? 0)) / count) * 1_000
    : undefined;
};
const perSecond = (value) => `${numberOf(value)} /s`;
const milliseconds = (value) => `${numberOf(value)} ms`;

const CHARTS = [
  { w: 'chartCalls', value: rate('procvision_calls_total'), show: perSecond },
  { w: 'chartNg', value: rate('procvision_calls_total{outcome=NG}'), show: perSecond },
  { w: 'chartErrors', value: rate('procvision_errors_total'), show: perSecond },
  { w: 'chartTime', value: mean('procvision_inspection_seconds'), show: milliseconds },
  { w: 'chartQueueTime', value: mean('procvision_queue_seconds'), show: milliseconds },
  { w: 'chartQueue', value: level('procvision_queued'), show: numberOf },
  { w: 'chartCpu', value: level('procvision_worker_cpu_cores'), show: numberOf },
  { w: 'chartMemory', value: level('procvision_worker_memory_bytes'), show: bytesOf },
  { w: 'chartHost', value: level('procvision_host_memory_bytes'), show: bytesOf },
  { w: 'chartDisk', value: level('procvision_disk_free_bytes'), show: bytesOf },
].map((chart) => ({ ...chart, values: [], ...figureOf(chart) }));

function figureOf({ w }) {
  const line = svg('polyline', { class: 'line', 'vector-effect': 'non-scaling-stroke' });
  const area = svg('polygon', { class: 'area' });
  const drawing = svg(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    area,
    line,
  );
  const [now, range] = [make('strong'), make('small')];
  return {
    line,
    area,
    now,
    range,
    element: make('figure', {}, make('figcaption', {}, make('span', { w }), now), drawing, range),
  };
}

function draw({ values, line, area, now, range, show }) {
  const known = values.filter((value) => value !== undefined);
  now.textContent = values.at(-1) === undefined ? '–' : show(values.at(-1));
  if (known.length === 0) return;
  const [least, most] = [Math.min(...known), Math.max(...known)];
  range.textContent = `${show(least)} … ${show(most)}`;
  // Rates from 0 on; of levels far from it the change is what is looked for.
  const from = least > most / 2 ? least - (most - least || most || 1) / 2 : 0;
  const span = most - from || 1;
  const points = [];
  values.forEach((value, index) => {
    if (value === undefined) return;
    const x = WIDTH - (values.length - 1 - index) * (WIDTH / (MOST - 1));
    points.push(`${x.toFixed(1)},${(HEIGHT - 2 - ((value - from) / span) * (HEIGHT - 6)).toFixed(1)}`);
  });
  line.setAttribute('points', points.join(' '));
  const [first, last] = [points[0].split(',')[0], points.at(-1).split(',')[0]];
  area.setAttribute('points', `${first},${HEIGHT} ${points.join(' ')} ${last},${HEIGHT}`);
}

let before;
let beforeAt = 0;

async function sample() {
  if (!station.isKnown || station.isAway || document.visibilityState !== 'visible') return;
  const accept = 'application/openmetrics-text';
  const now = samplesOf(await (await send('metrics', { headers: { accept } })).text());
  const at = performance.now();
  for (const chart of CHARTS) {
    chart.values.push(chart.value(now, before, (at - beforeAt) / 1_000));
    if (chart.values.length > MOST) chart.values.shift();
    draw(chart);
  }
  [before, beforeAt] = [now, at];
}

const workers = make('div');

function showWorkers() {
  if (viewOf('metrics').hidden) return;
  const heads = ['version', 'state', 'queued', 'calls', 'latency', 'cpu', 'memory', 'restarts', 'uptime'].map(
    (w) => ({ w }),
  );
  const rows = station.status
    .slice(0, 100)
    .map((one) => [
      `${one.name} ${one.version}`,
      make('span', { w: `run_${one.state}` }),
      `${one.inFlight} + ${one.queued}`,
      numberOf(one.latency.count),
      one.latency.p50Ms === undefined
        ? '–'
        : `${one.latency.p50Ms.toFixed(1)} / ${one.latency.p95Ms.toFixed(1)} ms`,
      one.cpu === undefined ? '–' : one.cpu.toFixed(2),
      one.rssBytes === undefined ? '–' : bytesOf(one.rssBytes),
      String(one.restarts),
      durationOf(one.uptimeMs),
    ]);
  const scrolled = workers.firstElementChild?.scrollLeft ?? 0;
  const isFocused = workers.contains(document.activeElement);
  workers.replaceChildren(
    rows.length > 0 ? table(heads, rows, 'workers') : make('p.none', { w: 'nothingRuns' }),
  );
  workers.firstElementChild.scrollLeft = scrolled;
  if (isFocused) workers.firstElementChild.focus();
}

export function build() {
  viewOf('metrics').append(
    make('h2', { w: 'navMetrics' }),
    make(
      'div.charts',
      {},
      CHARTS.map(({ element }) => element),
    ),
    make('h3', { w: 'workers' }),
    workers,
  );
  onChange(showWorkers);
  const again = () => void sample().catch(() => undefined);
  setInterval(again, EVERY_MS);
  again();
  return showWorkers;
}
