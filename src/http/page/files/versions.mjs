/** What is deployed, how each version stands, and what is done to the store as a whole. */
import { operator, placeWith, post, setOperator } from './api.mjs';
import { asking } from './dialogs.mjs';
import { badge, field, make, tell, viewOf } from './dom.mjs';
import { buildInstall } from './install.mjs';
import { onChange, refresh, stateOf, station } from './station.mjs';
import { openVersion } from './version.mjs';
import { bytesOf, onLanguage } from './words.mjs';
import { windowed } from './windowed.mjs';

let list;
const search = make('input', {
  type: 'search',
  wPlaceholder: 'search',
  wLabel: 'search',
  autocomplete: 'off',
});
const count = make('span.count');

function row({ entry, serves, state, why = '', code }) {
  const { name, version } = entry;
  return make(
    'button.line',
    { on: { click: () => openVersion({ name, version }) } },
    badge(state, `state_${state}`),
    make(
      'span.text',
      {},
      make('strong', {}, `${name} ${version}`),
      make('span', code ? { w: `failure_${code}`, wElse: why } : {}, why),
    ),
    make('span.when', {}, serves.length > 0 ? serves.join(', ') : '–'),
  );
}

const ORDER = [
  'quarantined',
  'notReady',
  'invalid',
  'trial',
  'starting',
  'stopping',
  'serving',
  'idle',
  'stored',
];

function show() {
  const asked = search.value.trim().toLowerCase();
  const statuses = new Map(station.status.map((one) => [`${one.name}\n${one.version}`, one]));
  const serving = new Map();
  for (const { pid, name, version } of Object.values(station.active)) {
    const key = `${name}\n${version}`;
    serving.set(key, [...(serving.get(key) ?? []), pid]);
  }
  const items = station.entries.map((entry) => {
    const key = `${entry.name}\n${entry.version}`;
    const serves = serving.get(key) ?? [];
    return { entry, key, serves, ...stateOf(entry, statuses.get(key), serves) };
  });
  const seen = items.filter(({ key, serves }) => `${key} ${serves.join(' ')}`.toLowerCase().includes(asked));
  seen.sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || compare(a.entry, b.entry));
  list.show(seen);
  count.textContent =
    seen.length === items.length ? String(items.length) : `${seen.length} / ${items.length}`;
}

const collator = new Intl.Collator('en', { numeric: true });
const compare = (a, b) => collator.compare(a.name, b.name) || collator.compare(b.version, a.version);

const lines = (items) =>
  make(
    'ul',
    {},
    items.map((text) => make('li', {}, text)),
  );
const named = ({ name = '?', version = '' }) => `${name} ${version}`;

/** What a prune would remove, before it does. */
async function planPrune() {
  const { pruned, archives, kept, freedBytes } = await post('algorithms/prune?dryRun=true');
  const going = [...pruned, ...archives].map(named);
  if (going.length === 0) {
    tell('nothingToPrune');
    return undefined;
  }
  return {
    title: { w: 'prune' },
    text: { w: ['pruneText', { count: going.length, size: bytesOf(freedBytes) }] },
    content: [
      lines(going),
      ...(kept.length > 0 ? [make('p', { w: ['pruneKept', { list: kept.map(named).join(', ') }] })] : []),
    ],
  };
}

async function planRecover() {
  const { recovered, skipped } = await post('algorithms/recover?dryRun=true');
  if (recovered.length + skipped.length === 0) {
    tell('nothingToRecover');
    return undefined;
  }
  const going = recovered.map(({ operation, outcome, ...ref }) => `${operation} ${named(ref)}: ${outcome}`);
  return {
    title: { w: 'recover' },
    text: { w: 'recoverText' },
    content: lines([...going, ...skipped.map(({ path }) => path)]),
  };
}

export function build() {
  list = windowed({
    ...{ render: row, keyOf: ({ key }) => key, none: 'noVersions', label: 'navVersions' },
    stampOf: ({ state, why, serves }) => `${state} ${why ?? ''} ${serves.join(',')}`,
  });
  const maintain = make(
    'div.actions',
    {},
    asking(
      'prune',
      planPrune,
      async () => {
        await post(placeWith('algorithms/prune', operator()));
        await refresh();
        tell('done');
      },
      { className: 'danger' },
    ),
    asking('recover', planRecover, async () => {
      await post('algorithms/recover');
      await refresh();
      tell('done');
    }),
  );
  const who = make('input', { type: 'text', name: 'operator', autocomplete: 'off', maxLength: 512 });
  who.value = operator().operator ?? '';
  who.addEventListener('change', () => setOperator(who.value));
  viewOf('versions').append(
    make(
      'div.deployed',
      {},
      make('div.bar', {}, make('h2', { w: 'navVersions' }, ''), count, search),
      list.element,
      maintain,
      field({ w: 'operatorName' }, who, { w: 'operatorHint' }),
    ),
    buildInstall({ openVersion }),
  );
  search.addEventListener('input', show);
  onChange(show);
  onLanguage(() => list.renew());
  show();
}
