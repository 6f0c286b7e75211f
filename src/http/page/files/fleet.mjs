/** The plant at a glance: its stations, and the rollouts with their gates. Only where the station's server knows a fleet. */
import { get, operator, post } from './api.mjs';
import { asking } from './dialogs.mjs';
import { attempt, badge, english, field, make, table, tell, viewOf } from './dom.mjs';
import { onLanguage, timeOf } from './words.mjs';

const EVERY_MS = 2_000;
/** Colours of the badges, by what they say. */
const COLOURS = {
  ...{ converged: 'OK', accepted: 'OK', done: 'OK', open: 'OK', kept: 'none', unconcerned: 'none' },
  ...{
    failed: 'NG',
    refused: 'NG',
    back: 'NG',
    halted: 'NG',
    unknown: 'none',
    idle: 'none',
    pending: 'none',
  },
};
const coloured = (state, w) => badge(COLOURS[state] ?? 'ERROR', w);

const search = make('input', { type: 'search', autocomplete: 'off' });
const head = make('div.plant', { 'aria-live': 'polite' });
const rollouts = make('div.rollouts');
const stations = make('div');

let known;
let shown = '';

/** Asks for the plant; undefined where there is none, or this person may not see it. */
async function look() {
  const plant = await get('fleet', { expected: [401, 403, 404, 501] });
  return Array.isArray(plant?.stations) ? plant : undefined;
}

const isOffline = ({ isReachable, state }) => !isReachable && state !== 'unknown';
const entriesOf = (values) => Object.entries(values).map(([id, ref]) => `${id}: ${ref}`);

function summary({ plant, controller, stations: all, bars, faults }) {
  const counts = {
    fleetReachable: all.filter(({ isReachable }) => isReachable).length,
    fleetOffline: all.filter((one) => !one.isReachable).length,
    fleetOnTrial: all.filter(({ onTrial }) => onTrial.length > 0).length,
    fleetQuarantined: all.filter(({ quarantined }) => Object.keys(quarantined).length > 0).length,
  };
  return [
    make('h2', {}, plant),
    make(
      'p.counts',
      {},
      Object.entries(counts).map(([w, count]) => make('span', {}, make('span', { w }), ` ${count}`)),
    ),
    make(
      'p',
      {},
      controller
        ? make('span', { w: ['fleetController', { holder: controller.holder }] })
        : badge('NG', 'fleetNoController'),
    ),
    ...bars.map(({ name, version, reason, by }) =>
      make(
        'p',
        {},
        badge('NG', 'fleetBarred'),
        ' ',
        make('strong', {}, `${name} ${version}`),
        ' ',
        english(`${reason} (${by})`, 'span'),
      ),
    ),
    ...faults.map(({ key, reason }) =>
      make('p', {}, badge('ERROR', 'fleetFault'), ' ', english(`${key}: ${reason}`, 'span')),
    ),
  ];
}

function rollout(one) {
  const { id, name, version, state, reason, wave, waves, report, stations: all, by } = one;
  const concerned = all.filter(({ standing }) => standing !== 'unconcerned');
  const accepted = concerned.filter(({ standing }) => standing === 'accepted').length;
  const standings = [...new Set(concerned.map(({ standing }) => standing))];
  const isUnderWay = state === 'new' || state === 'running';
  const checks = report?.checks ?? [];
  const progress = make('progress', { max: Math.max(1, concerned.length), value: accepted });
  const label = make('span', { w: ['fleetWave', { wave, waves }] });
  return make(
    'article.rollout',
    { data: { rollout: id } },
    make('h3', {}, `${name} ${version} `, coloured(state, `rollout_${state}`)),
    make('label', {}, label, progress, ` ${accepted} / ${concerned.length}`),
    make(
      'p.counts',
      {},
      standings.map((standing) =>
        make(
          'span',
          {},
          coloured(standing, `standing_${standing}`),
          ` ${concerned.filter((station) => station.standing === standing).length}`,
        ),
      ),
    ),
    ...(reason ? [english(reason)] : []),
    ...(checks.length > 0
      ? [
          table(
            [{ w: 'fleetGate' }, { w: 'state' }, { w: 'message' }],
            checks.map((check) => [
              make('span', { w: `gate_${check.gate}` }),
              coloured(check.state, `check_${check.state}`),
              english(check.reason, 'span'),
            ]),
            'fleetGates',
          ),
        ]
      : []),
    ...concerned
      .filter((station) => station.reason && station.standing === 'failed')
      .map((station) => english(`${station.station}: ${station.reason}`)),
    make('p.id', {}, `${id} · ${by}`),
    make(
      'div.actions',
      {},
      ...(isUnderWay ? [word('fleetHalt', one, 'fleet/halt', { rollout: id })] : []),
      ...(isUnderWay && checks.some(({ gate, state: at }) => gate === 'approval' && at === 'waiting')
        ? [word('fleetApprove', one, 'fleet/approve', { rollout: id, wave })]
        : []),
      ...(state === 'back' ? [] : [word('fleetBack', one, 'fleet/back', { rollout: id }, 'danger')]),
    ),
  );
}

/** A word to the fleet, after a question. */
function word(w, { name, version }, path, body, className = '') {
  const reason = make('input', { type: 'text', name: 'reason', autocomplete: 'off', maxLength: 200 });
  const said = () => (reason.value.trim() === '' ? {} : { reason: reason.value.trim() });
  return asking(
    w,
    () => ({
      title: { w },
      text: { w: [`${w}Text`, { name: `${name} ${version}` }] },
      content: path === 'fleet/approve' ? [] : field({ w: 'fleetReason' }, reason),
    }),
    async () => {
      await post(path, { ...body, ...(path === 'fleet/approve' ? {} : said()), ...operator() });
      tell('done');
      await refresh();
    },
    { className },
  );
}

function stationRow(station) {
  const { state, reason, serving, onTrial, quarantined, progress, reportedAt } = station;
  const at = reportedAt ? make('time', { dateTime: reportedAt }, timeOf(reportedAt)) : '–';
  const share = progress === undefined ? '' : ` ${Math.round(progress * 100)} %`;
  return [
    station.station,
    make(
      'span',
      {},
      isOffline(station)
        ? make('span', {}, badge('ERROR', 'fleetOfflineSince'), ' ', at)
        : coloured(state, `fleet_${state}`),
      share,
    ),
    entriesOf(serving).join(', ') || '–',
    onTrial.join(', ') || '–',
    Object.keys(quarantined).join(', ') || '–',
    english(reason ?? '', 'span'),
    isOffline(station) ? '' : at,
  ];
}

function show() {
  // A question that is open gives the focus back to the button that asked it.
  if (!known || document.querySelector('dialog[open]')) return;
  const asked = search.value.trim().toLowerCase();
  const mark = JSON.stringify([known, asked]);
  if (mark === shown) return;
  shown = mark;
  const buttons = [...rollouts.querySelectorAll('button')];
  const focused = buttons.indexOf(document.activeElement);
  const scrolled = stations.querySelector('.scroll')?.scrollLeft ?? 0;
  head.replaceChildren(...summary(known));
  rollouts.replaceChildren(
    ...(known.rollouts.length > 0 ? known.rollouts.map(rollout) : [make('p.none', { w: 'fleetNoRollout' })]),
  );
  if (focused >= 0) rollouts.querySelectorAll('button')[focused]?.focus();
  const seen = known.stations.filter((one) => JSON.stringify(one).toLowerCase().includes(asked));
  stations.replaceChildren(
    table(
      [
        { w: 'fleetStation' },
        ...[{ w: 'state' }, { w: 'serves' }, { w: 'fleetOnTrial' }, { w: 'fleetQuarantined' }],
        ...[{ w: 'message' }, { w: 'fleetReported' }],
      ],
      seen.map(stationRow),
      'fleetStations',
    ),
  );
  stations.querySelector('.scroll').scrollLeft = scrolled;
}

async function refresh() {
  known = (await look()) ?? known;
  show();
}

/** Whether there is a fleet decides whether the view is there. */
export async function build({ link, found }) {
  viewOf('fleet').append(
    head,
    make('h3', { w: 'fleetRollouts' }),
    rollouts,
    make('div.bar', {}, make('h3', { w: 'fleetStations' }), field({ w: 'search' }, search)),
    stations,
  );
  search.addEventListener('input', show);
  onLanguage(() => {
    shown = '';
    show();
  });
  known = await look().catch(() => undefined);
  if (!known) return;
  link.hidden = false;
  show();
  setInterval(() => {
    // A station that is away is said to be away already.
    if (document.visibilityState === 'visible' && !viewOf('fleet').hidden)
      void refresh().catch(() => undefined);
  }, EVERY_MS);
  found();
}

/** Looks again when the view is opened. */
export const seen = () => {
  if (known) void attempt(refresh);
};
