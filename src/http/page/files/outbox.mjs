/** The outbox: what waits for the platform, how the line stands, and what a person can do about it. */
import { Failure, get, post } from './api.mjs';
import { asking } from './dialogs.mjs';
import { badge, button, english, facts, field, make, table, tell, viewOf } from './dom.mjs';
import { onLanguage, bytesOf, numberOf, timeOf } from './words.mjs';

const EVERY_MS = 3_000;
const PRIORITIES = ['health', 'business', 'diagnostics', 'ngPictures', 'okPictures'];
/** Colours of the states of the line. */
const LINES = { up: 'OK', unknown: 'none', network: 'ERROR', credentials: 'NG', platform: 'ERROR' };

const shown = make('div', { 'aria-live': 'polite' });
const actions = make('div.actions', { hidden: true });
let report;
let isFollowing = false;

const at = (ms) => (ms === undefined ? undefined : timeOf(ms));
const lasting = (w, is) => (is ? [make('p.remedy', { w })] : []);

/** Why things were given up, and why the last picture was not kept. */
function reasons({ shedBy, lastPictureFault: fault }) {
  const given = Object.entries(shedBy).filter(([, { records }]) => records > 0);
  const pairs = given.map(([reason, { records }]) => [`shedBy_${reason}`, numberOf(records)]);
  return [
    ...(pairs.length > 0 ? [make('h3', { w: 'outboxShedBy' }), facts(pairs)] : []),
    ...(fault
      ? [make('p.remedy', { w: ['outboxPictureFault', { at: timeOf(fault.at) }] }), english(fault.reason)]
      : []),
  ];
}

function show() {
  if (!report) return;
  const { outbox, delivery, aside } = report;
  const { lastFault: fault } = delivery;
  actions.hidden = false;
  pause.hidden = delivery.state === 'paused';
  resume.hidden = delivery.state !== 'paused';
  shown.replaceChildren(
    make(
      'p',
      {},
      badge(LINES[delivery.network], `line_${delivery.network}`),
      ' ',
      ...(delivery.state === 'paused' ? [badge('ERROR', 'outboxPaused'), ' '] : []),
      make('span', { lang: 'en' }, delivery.to),
    ),
    ...lasting('outboxDegraded', delivery.isDegraded),
    ...lasting('outboxDiskFull', outbox.diskError !== undefined),
    facts([
      ['outboxOldest', at(outbox.oldestDueAt)],
      ['outboxTaken', at(delivery.lastTakenAt)],
      ['outboxRetry', at(delivery.retryAt)],
      ['outboxKept', `${bytesOf(outbox.kept.bytes)} / ${bytesOf(outbox.maxBytes)}`],
      ['outboxDelivered', numberOf(outbox.delivered)],
      ['outboxFailures', numberOf(outbox.failures)],
      ['outboxAside', numberOf(outbox.aside)],
    ]),
    ...(fault && delivery.network !== 'up'
      ? [make('p', { w: `lineDo_${fault.cause}` }), english(fault.reason)]
      : []),
    table(
      [{ w: 'outboxWhat' }, { w: 'outboxDue' }, { w: 'outboxBytes' }, { w: 'outboxShed' }],
      PRIORITIES.map((name) => [
        make('span', { w: `priority_${name}` }),
        numberOf(outbox.due[name].records),
        bytesOf(outbox.due[name].bytes),
        numberOf(outbox.shed[name].records),
      ]),
      'outboxDue',
    ),
    ...reasons(outbox),
    ...(aside.length > 0
      ? [
          make('h3', { w: 'outboxRefused' }),
          table(
            [{ w: 'time' }, { w: 'name' }, { w: 'message' }],
            aside.map(({ setAsideAt, ingestId, reason }) => [
              timeOf(setAsideAt),
              ingestId,
              english(reason, 'span'),
            ]),
            'outboxRefused',
          ),
        ]
      : []),
  );
}

async function look() {
  try {
    report = await get('outbox');
  } catch (error) {
    if (!(error instanceof Failure) || error.problem?.code !== 'not_served') throw error;
    shown.replaceChildren(make('p', { w: 'outboxNone' }));
    return;
  }
  show();
}

/** Looks again from time to time, while the view is seen. */
function follow() {
  if (isFollowing) return;
  isFollowing = true;
  setTimeout(() => {
    isFollowing = false;
    if (viewOf('outbox').hidden) return;
    look().then(follow, follow);
  }, EVERY_MS);
}

async function change(place, body) {
  report = await post(place, body);
  show();
  tell('done');
}

const pause = button('outboxPause', () => change('outbox/pause'));
const resume = button('outboxResume', () => change('outbox/resume'));
const all = make('input', { type: 'checkbox' });
const retry = asking(
  'outboxRetryNow',
  () => ({ title: { w: 'outboxRetryNow' }, content: field({ w: 'outboxRetryAside' }, all) }),
  () => change('outbox/retry', { aside: all.checked }),
);
const folder = make('input', { required: true, autocomplete: 'off', placeholder: '/media/stick' });
const exporting = asking(
  'outboxExport',
  () => ({
    title: { w: 'outboxExport' },
    text: { w: 'outboxExportText' },
    content: field({ w: 'outboxFolder' }, folder),
  }),
  async () => {
    const { records, pictures } = await post('outbox/export', { folder: folder.value.trim() });
    tell(['outboxExported', { records, pictures }]);
  },
);

export function build() {
  const again = button('lookAgain', look);
  actions.append(pause, resume, retry, exporting);
  viewOf('outbox').append(make('div.bar', {}, make('h2', { w: 'navOutbox' }), again), actions, shown);
  onLanguage(show);
  return () => {
    again.click();
    follow();
  };
}
