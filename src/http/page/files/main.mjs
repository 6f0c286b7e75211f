/** The page of a station. Each view is a module; this one begins them, and changes between them by the address' fragment. */
import { byId, failure, make, notify, table, viewOf } from './dom.mjs';
import { open } from './dialogs.mjs';
import { build as buildFindings } from './findings.mjs';
import { build as buildFleet, seen as seenFleet } from './fleet.mjs';
import { build as buildHistory } from './history.mjs';
import { build as buildInspect } from './inspect.mjs';
import { build as buildLogs } from './logs.mjs';
import { build as buildOutbox } from './outbox.mjs';
import { COLOURS, cssColour } from './marks.mjs';
import { build as buildMetrics } from './metrics.mjs';
import { onChange, start, station, stationState } from './station.mjs';
import { build as buildVersions } from './versions.mjs';
import { nextLanguage, onLanguage, setLanguage, translate } from './words.mjs';

const VIEWS = ['inspect', 'history', 'versions', 'fleet', 'metrics', 'logs', 'outbox', 'doctor'];
/** There the verdicts stand beside the inspection. */
const wide = matchMedia('(min-width: 90rem)');

for (const [verdict, colour] of Object.entries(COLOURS)) {
  document.documentElement.style.setProperty(`--${verdict.toLowerCase()}`, cssColour(colour));
}

const seen = {};

const linkOf = (view) => document.querySelector(`nav a[href="#${view}"]`);

function show() {
  const asked = location.hash.slice(1);
  const isThere = VIEWS.includes(asked) && !linkOf(asked).hidden;
  const view = isThere ? asked : 'inspect';
  document.body.dataset.seen = view;
  for (const name of VIEWS)
    viewOf(name).hidden = name !== view && !(wide.matches && view === 'inspect' && name === 'history');
  for (const link of document.querySelectorAll('nav a')) {
    if (link.hash === `#${view}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  seen[view]?.();
}

function showState() {
  const state = stationState();
  const lamp = byId('lamp');
  byId('away').hidden = state !== 'away';
  if (lamp.dataset.state === state) return;
  lamp.dataset.state = state;
  byId('lamp-word').dataset.w = `station_${state}`;
  translate(byId('lamp-word'));
}

/** Why the station is not ready, or that it is. */
function explain() {
  const { checks } = station.health;
  const rows = checks.map(({ name, ok, message }) => [
    make('span.badge', { data: { state: ok ? 'OK' : 'NG' }, w: ok ? 'well' : 'unwell' }),
    name,
    message,
  ]);
  open(
    { w: `station_${stationState()}` },
    [
      rows.length > 0
        ? table([{ w: 'state' }, { w: 'name' }, { w: 'message' }], rows, 'checks')
        : make('p', { w: 'away' }),
    ],
    {
      className: 'drawer',
    },
  );
}

// A file that misses its place would replace this page.
for (const type of ['dragover', 'drop']) addEventListener(type, (event) => event.preventDefault());
byId('lamp').addEventListener('click', explain);
byId('language').addEventListener('click', () => setLanguage(nextLanguage().code));
onLanguage(() => {
  const { code, title } = nextLanguage();
  Object.assign(byId('language'), { textContent: title, lang: code });
});

setLanguage();
buildInspect();
buildHistory();
buildVersions();
Object.assign(seen, {
  fleet: seenFleet,
  metrics: buildMetrics(),
  logs: buildLogs(),
  outbox: buildOutbox(),
  doctor: buildFindings(),
});
onChange(showState);
addEventListener('hashchange', show);
wide.addEventListener('change', show);
show();
showState();
void buildFleet({ link: linkOf('fleet'), found: show });
start().catch((error) => notify('bad', failure(error)));
