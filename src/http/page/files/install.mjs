/** Packages in: a zip that is dropped, chosen, or lies in `zips/`. What is refused is shown with its whole report. */
import { eventsIn, Failure, get, operator, placeWith, remove, send } from './api.mjs';
import { asking, open } from './dialogs.mjs';
import { attempt, badge, button, english, failure, field, make, table, takeDrops, tell } from './dom.mjs';
import { onEvent, refresh, station } from './station.mjs';
import { bytesOf, onLanguage } from './words.mjs';

/** Those that the station knows. */
export const ENCODINGS = [
  ...['utf-8', 'gbk', 'shift_jis', 'big5', 'euc-kr', 'ibm866', 'cp437'],
  ...['windows-1252', 'windows-1251', 'koi8-r'],
];
const file = make('input.unseen', { type: 'file', accept: '.zip,application/zip', id: 'package' });
const replace = make('input', { type: 'checkbox' });
const onlyCheck = make('input', { type: 'checkbox' });
/** Of names in a zip that do not say theirs; the names themselves tell where nothing is chosen. */
const encoding = make(
  'select',
  { name: 'encoding' },
  make('option', { value: '', w: 'byNames' }),
  ENCODINGS.map((value) => make('option', { value }, value)),
);
const ofNames = () => (encoding.value === '' ? {} : { nameEncoding: encoding.value });
const bar = make('progress', { max: 1, wLabel: 'installing' });
const stage = make('p.stage-name', { role: 'status' });
const running = make('div.running', { hidden: true }, bar, stage);
const outcome = make('div.outcome', { role: 'status' });
const zips = make('div.zips');
let isBusy = false;
let openVersion;

const RESULTS = { PASS: 'OK', FAIL: 'NG', SKIP: 'none' };

/** What failed is read first. */
const byOutcome = (a, b) => Number(b.result === 'FAIL') - Number(a.result === 'FAIL');

const checksTable = (checks) =>
  table(
    [{ w: 'check' }, { w: 'outcome' }, { w: 'message' }],
    [...checks]
      .sort(byOutcome)
      .map(({ name, result, message }) => [
        make('span', { w: `check_${name}`, wElse: name, title: name }),
        badge(RESULTS[result] ?? 'none', undefined, result),
        english(message, 'span'),
      ]),
    'report',
  );

/** The report of a package: what it failed by with its traceback, then each check. */
export function reportOf({ summary, checks, error, warnings = [] }) {
  const isGood = summary.status === 'PASS';
  return make(
    'div.report',
    {},
    make(
      'p',
      {},
      badge(isGood ? 'OK' : 'NG', isGood ? 'accepted' : 'refused'),
      ` ${summary.passed} / ${checks.length}`,
    ),
    ...(error ? [failure({ problem: error })] : []),
    checks.length > 0 ? checksTable(checks) : [],
    warnings.map((warning) => make('p.warning', {}, warning)),
  );
}

export const showReport = (report) => open({ w: 'report' }, reportOf(report), { className: 'drawer' });

/** One at a time, with its progress; `work` gives what is shown in the end. */
async function run(name, work) {
  if (isBusy) return;
  isBusy = true;
  running.hidden = false;
  bar.removeAttribute('value');
  stage.textContent = name;
  outcome.replaceChildren();
  try {
    outcome.replaceChildren(await work());
  } catch (error) {
    outcome.replaceChildren(
      make('div.report', {}, make('p', {}, badge('NG', 'refused'), ` ${name}`), failure(error)),
    );
  } finally {
    isBusy = false;
    running.hidden = true;
  }
  await refresh();
  await attempt(showZips);
}

/** Follows an install event by event. */
async function install(name, init) {
  const headers = { ...init.headers, accept: 'text/event-stream' };
  const query = { ...(replace.checked && { force: 'true' }), ...ofNames(), ...operator() };
  const response = await send(placeWith('algorithms/install', query), { ...init, method: 'POST', headers });
  const checks = [];
  for await (const { name: event, data } of eventsIn(response)) {
    if (event === 'check') checks.push(data);
    if (event === 'progress') {
      bar.value = data.fraction;
      const words = make('span', { w: `stage_${data.stage}` }).textContent;
      if (stage.textContent !== words) stage.textContent = words;
    }
    if (event === 'installed') {
      return make(
        'div.report',
        {},
        make('p', {}, badge('OK', 'installed'), ` ${data.name} ${data.version}`),
        make('p', { w: 'installedHint' }),
        make(
          'div.actions',
          {},
          button(
            'toVersion',
            async () => {
              await refresh();
              openVersion(data);
            },
            { className: 'primary' },
          ),
        ),
      );
    }
    if (event === 'failed') {
      const passed = checks.filter(({ result }) => result === 'PASS').length;
      return reportOf({ summary: { status: 'FAIL', passed }, checks, error: data });
    }
  }
  throw new Failure(undefined, 'noAnswer');
}

const check = async (init) =>
  reportOf(
    await (await send(placeWith('algorithms/validate', ofNames()), { method: 'POST', ...init })).json(),
  );

const upload = (zip) => {
  const init = { headers: { 'content-type': 'application/zip' }, body: zip };
  return run(zip.name, () => (onlyCheck.checked ? check(init) : install(zip.name, init)));
};

const named = (path) => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify({ path }) });

function zipRow({ file: name, sizeBytes, state, reason, name: of, version, busy, settling }) {
  const actions = [
    button('install', () => run(name, () => install(name, named(name))), { wLabel: ['installOf', { name }] }),
    button('check', () => run(name, () => check(named(name))), { wLabel: ['checkOf', { name }] }),
    asking(
      'remove',
      { title: { w: 'remove' }, text: { w: ['removeFile', { name }] } },
      async () => {
        await remove(placeWith(`packages/${encodeURIComponent(name)}`, operator()));
        await showZips();
        tell('removed');
      },
      { className: 'danger', wLabel: ['removeOf', { name }] },
    ),
  ];
  const about = [of && `${of} ${version}`, bytesOf(sizeBytes), busy?.operation, reason?.message]
    .filter(Boolean)
    .join(' · ');
  const shown = settling
    ? 'starting'
    : state === 'deployed' || state === 'running'
      ? 'serving'
      : state === 'invalid'
        ? 'invalid'
        : 'stored';
  return make(
    'li',
    {},
    make(
      'div',
      {},
      badge(shown, `zip_${settling ? 'settling' : state}`),
      make('strong', {}, ` ${name}`),
      make('p', {}, about),
    ),
    make('div.actions', {}, actions),
  );
}

async function showZips() {
  const found = await get('packages');
  zips.replaceChildren(
    found.length > 0 ? make('ul', {}, found.map(zipRow)) : make('p.none', { w: 'noZips' }),
  );
}

/** `o.openVersion` shows a version that was installed. */
export function buildInstall(o) {
  ({ openVersion } = o);
  file.addEventListener('change', async () => {
    const [zip] = file.files;
    if (!zip) return;
    await upload(zip);
    file.value = '';
  });
  const drop = make(
    'div.drop.small',
    {},
    make('label.file.primary', {}, file, make('span', { w: 'choosePackage' })),
    make('p', { w: 'dropPackage' }),
    make('label.tick', {}, onlyCheck, make('span', { w: 'onlyCheck' })),
    make('label.tick', {}, replace, make('span', { w: 'replace' })),
    make(
      'details',
      {},
      make('summary', { w: 'moreOptions' }),
      field({ w: 'encoding' }, encoding, { w: 'encodingHint' }),
    ),
    running,
    outcome,
  );
  takeDrops(drop, upload);
  onEvent('invalid', () => void showZips().catch(() => undefined));
  onLanguage(() => station.isKnown && void showZips().catch(() => undefined));
  const again = button('lookAgain', showZips);
  void showZips().catch(() => undefined); // where the station is away, the header says so
  return make(
    'div.install',
    {},
    make('h2', { w: 'install' }),
    drop,
    make('div.bar', {}, make('h3', { w: 'zips' }), again),
    zips,
  );
}
