/** The last lines of a version, or who did what; new lines of its workers come by themselves. */
import { get } from './api.mjs';
import { open } from './dialogs.mjs';
import { button, make, viewOf } from './dom.mjs';
import { onChange, onEvent, station } from './station.mjs';
import { onLanguage, timeOf } from './words.mjs';
import { windowed } from './windowed.mjs';

const MOST = 5_000;
const ASKED = 1_000;

let lines = [];
let count = 0;
let frame = 0;
let list;
let isSeen = false;
const which = make('select', { wLabel: 'version' });
const search = make('input', {
  type: 'search',
  wPlaceholder: 'search',
  wLabel: 'search',
  autocomplete: 'off',
});

const LEVELS = {
  error: 'NG',
  critical: 'NG',
  exception: 'NG',
  warning: 'ERROR',
  warn: 'ERROR',
  ok: 'OK',
  failed: 'NG',
};

/** A line as it is shown. Fields that have no place of their own come behind the message as JSON. */
function lineOf({
  time,
  timestamp_ms: ms,
  at,
  level,
  message,
  outcome,
  operation,
  file: _file,
  emitter: _emitter,
  ...others
}) {
  const kind = String(level ?? outcome ?? '').toLowerCase();
  const rest = Object.entries(others).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const text = [operation, message, ...rest].filter((part) => part !== undefined && part !== '').join(' ');
  return { key: ++count, at: time ?? at ?? (ms === undefined ? undefined : Number(ms)), kind, text };
}

const row = ({ at, kind, text }) =>
  make(
    'button.line',
    { on: { click: () => details(text) } },
    make('time', {}, at === undefined ? '' : timeOf(at)),
    make('span.level', { data: { state: LEVELS[kind] ?? 'none' } }, kind),
    make('span.text', {}, text),
  );

/** A line may be longer than the screen is wide. */
const details = (text) =>
  open({ w: 'logLine' }, make('pre', { tabIndex: 0, role: 'group', wLabel: 'logLine' }, text), {
    className: 'drawer',
  });

function show(added = 0) {
  const asked = search.value.trim().toLowerCase();
  list.show(
    asked === '' ? lines : lines.filter(({ text, kind }) => `${kind} ${text}`.toLowerCase().includes(asked)),
    added,
  );
}

async function load() {
  const [name, version] = JSON.parse(which.value || '[]');
  const query = new URLSearchParams({ lines: String(ASKED), ...(name !== undefined && { name, version }) });
  const found = await get(`logs?${query}`);
  lines = found.map(lineOf).reverse();
  show();
}

/** A line that a worker has just logged. */
function take(event) {
  const { name, version, worker: _worker, ...line } = event;
  if (!isSeen || which.value !== JSON.stringify([name, version])) return;
  lines.unshift(lineOf(line));
  if (lines.length > MOST) lines.length = MOST;
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    show();
  });
}

function showVersions() {
  const values = ['[]', ...station.entries.map(({ name, version }) => JSON.stringify([name, version]))];
  if (values.join('\n') === [...which.options].map(({ value }) => value).join('\n')) return;
  const chosen = which.value;
  which.replaceChildren(
    ...values.map((value, index) =>
      make(
        'option',
        { value, selected: value === chosen, ...(index === 0 && { w: 'audit' }) },
        index === 0 ? '' : JSON.parse(value).join(' '),
      ),
    ),
  );
}

export function build() {
  list = windowed({ render: row, keyOf: ({ key }) => key, none: 'noLines', label: 'navLogs' });
  list.element.classList.add('log');
  const again = button('lookAgain', load);
  viewOf('logs').append(
    make('div.bar', {}, make('h2', { w: 'navLogs' }), which, search, again),
    list.element,
  );
  which.addEventListener('change', () => again.click());
  search.addEventListener('input', () => show());
  onEvent('log', take);
  onEvent('strayOutput', ({ text, ...event }) => take({ ...event, level: 'stdout', message: text }));
  onChange(showVersions);
  onLanguage(() => list.renew());
  showVersions();
  return () => {
    isSeen = true;
    again.click(); // lines of the audit log come by no event
  };
}
