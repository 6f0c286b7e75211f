/** One version: how it stands, why, and everything that can be done with it. */
import { get, operator, placeOf, placeWith, post, put, remove } from './api.mjs';
import { ask, asking, open } from './dialogs.mjs';
import { badge, button, facts, failure, field, make, table, tell } from './dom.mjs';
import { findingsList } from './findings.mjs';
import { showReport } from './install.mjs';
import { onChange, refresh, servedBy, sharesOf, station, stateOf, statusOf } from './station.mjs';
import { trialForm, warmUpForm } from './switching.mjs';
import { bytesOf, dateOf, durationOf } from './words.mjs';

let shown;

/** Opens a version; it is shown as it becomes while it is open. */
export function openVersion(ref) {
  const content = make('div.version');
  shown = { ref, content };
  const { close } = open({}, content, { className: 'drawer', onClose: () => (shown = undefined) });
  shown.close = close;
  content.previousElementSibling.querySelector('h2').textContent = `${ref.name} ${ref.version}`;
  show();
}

/** What is shown changes with the station, but never under the hands of who fills something in. */
function show() {
  if (!shown) return;
  const { ref, content, close } = shown;
  const entry = station.entries.find(({ name, version }) => name === ref.name && version === ref.version);
  if (!entry) {
    close();
    return;
  }
  const stamp = JSON.stringify([
    stateOf(entry),
    servedBy(ref),
    statusOf(ref)?.workers.map(({ state, restarts, lastError }) => [state, restarts, lastError]),
  ]);
  if (stamp === shown.stamp) return;
  shown.stamp = stamp;
  const focused = [...content.querySelectorAll('button')].indexOf(document.activeElement);
  content.replaceChildren(...parts(entry));
  if (focused >= 0) content.querySelectorAll('button')[focused]?.focus();
}
onChange(show);

function parts(entry) {
  const { state, why = '', code } = stateOf(entry);
  const status = statusOf(entry);
  const serves = servedBy(entry);
  return [
    make(
      'p',
      {},
      badge(state, `state_${state}`),
      ' ',
      make('span', code ? { w: `failure_${code}`, wElse: why } : {}, why),
    ),
    actions(entry, status, serves),
    ...(status?.lastError ? [make('h3', { w: 'lastError' }), failure({ problem: status.lastError })] : []),
    facts([
      ['serves', serves.join(', ')],
      ['supports', entry.supported_pids.join(', ') || '*'],
      ['trialOf', status?.trial && status.trial.from.map(({ version }) => version).join(', ')],
      ['canaryShare', sharesOf(status).join('; ')],
      ['installedAt', dateOf(entry.created_at)],
      ['operator', entry.operator],
      ['size', entry.size_bytes && bytesOf(entry.size_bytes)],
      ['python', entry.python_version],
      ['sdk', [entry.sdk_version, entry.generation].filter(Boolean).join(' · ')],
      ['uptime', status && durationOf(status.uptimeMs)],
      [
        'latency',
        status?.latency.p50Ms !== undefined
          ? `${status.latency.p50Ms.toFixed(1)} / ${status.latency.p95Ms.toFixed(1)} ms`
          : undefined,
      ],
      ['sha256', entry.sha256],
    ]),
    ...(status ? [make('h3', { w: 'workers' }), workersTable(status.workers)] : []),
  ];
}

const workersTable = (workers) =>
  table(
    [
      { w: 'worker' },
      { w: 'state' },
      { w: 'process' },
      { w: 'calls' },
      { w: 'latency' },
      { w: 'memory' },
      { w: 'restarts' },
    ],
    workers.map(({ worker, state, processId, calls, latency, rssBytes, restarts }) => [
      String(worker),
      badge(['idle', 'busy'].includes(state) ? 'serving' : 'starting', `worker_${state}`),
      String(processId ?? '–'),
      String(calls),
      latency.p50Ms === undefined ? '–' : `${latency.p50Ms.toFixed(1)} ms`,
      rssBytes === undefined ? '–' : bytesOf(rssBytes),
      String(restarts),
    ]),
    'workers',
  );

/** After an action: the station as it is now, and a word. */
const after =
  (action, w = 'done') =>
  async () => {
    await action();
    await refresh();
    tell(w);
  };

function actions(entry, status, serves) {
  const { name, version } = entry;
  const place = placeOf(entry);
  const about = { name: `${name} ${version}` };
  const question = (w) => ({ title: { w }, text: { w: [`${w}Text`, about] } });
  const canGoBack = serves.filter((id) => (station.active[id]?.history ?? []).length > 0);
  const isRunning = status !== undefined && status.state !== 'stopped' && status.state !== 'deployed';
  return make(
    'div.actions',
    {},
    button('activate', () => activate(entry), { className: serves.length > 0 ? '' : 'primary' }),
    ...(serves.length > 0
      ? [
          asking(
            'deactivate',
            { ...question('deactivate'), content: make('p', {}, serves.join(', ')) },
            after(() => post('algorithms/deactivate', { pids: serves, ...operator() })),
            { className: 'danger' },
          ),
          ...(canGoBack.length > 0 ? [button('rollback', () => rollback(canGoBack))] : []),
        ]
      : []),
    button('start', () => start(place, status)),
    ...(isRunning
      ? [
          asking(
            'stop',
            question('stop'),
            after(() => post(`${place}/stop`)),
            { className: 'danger' },
          ),
        ]
      : []),
    ...(status
      ? [button('reset', () => reset(place), { className: status.circuit === 'open' ? 'primary' : '' })]
      : []),
    button('verify', async () => showDrift(await post(`${place}/verify`))),
    button('check', async () => showReport(await post('algorithms/validate', { name, version }))),
    button('diagnose', () => diagnose(entry)),
    button('policy', () => configure(entry, status)),
    button('uninstall', () => uninstall(entry, serves), { className: 'danger' }),
  );
}

/** Where a product id is served by another version, it is moved: the new one is warm before, and may be put on trial. */
async function activate(entry) {
  const { name, version, supported_pids: supported } = entry;
  const { active } = station;
  const ids = supported.length > 0 ? supported : Object.keys(active);
  const ticks = ids.map((id) => {
    const by = active[id];
    const isOwn = by?.name === name && by.version === version;
    const input = make('input', { type: 'checkbox', value: id, checked: !isOwn, disabled: isOwn });
    return {
      input,
      label: make('label.tick', {}, input, make('span', {}, by ? `${id} ← ${by.name} ${by.version}` : id)),
    };
  });
  const other = make('input', { type: 'text', name: 'ids', autocomplete: 'off' });
  const trial = trialForm();
  const warmUp = warmUpForm();
  const force = make('input', { type: 'checkbox' });
  const isAgreed = await ask({
    title: { w: 'activate' },
    text: { w: ['activateText', { name: `${name} ${version}` }] },
    content: [
      ticks.map(({ label }) => label),
      ...(supported.length === 0 ? [field({ w: 'otherIds' }, other)] : []),
      ...(ids.some((id) => active[id]) ? [trial.element, warmUp.element] : []),
      make('label.tick', {}, force, make('span', { w: 'forceBarred' })),
    ],
    confirm: { w: 'activate' },
  });
  if (!isAgreed) return;
  const typed = other.value.split(/[\s,;]+/).filter(Boolean);
  const pids = [
    ...new Set([
      ...ticks.filter(({ input }) => input.checked && !input.disabled).map(({ input }) => input.value),
      ...typed,
    ]),
  ];
  if (pids.length === 0) return;
  const forced = force.checked && { force: true };
  const moved = pids.filter((id) => active[id]);
  const free = pids.filter((id) => !active[id]);
  if (moved.length > 0) {
    await post('algorithms/switch', {
      name,
      version,
      pids: moved,
      ...forced,
      ...trial.value(),
      ...(await warmUp.value()),
      ...operator(),
    });
  }
  if (free.length > 0) {
    await post('algorithms/activate', { name, version, pids: free, ...forced, ...operator() });
    await post(`${placeOf(entry)}/start`);
  }
  await refresh();
  tell('done');
}

async function rollback(serves) {
  const id = make(
    'select',
    {},
    serves.map((value) => make('option', { value }, value)),
  );
  const to = make('select');
  const force = make('input', { type: 'checkbox' });
  const choose = () => {
    const { history = [] } = station.active[id.value] ?? {};
    to.replaceChildren(
      ...history.map(({ name, version }, index) =>
        make('option', { value: String(index) }, `${name} ${version}`),
      ),
    );
  };
  choose();
  id.addEventListener('change', choose);
  const isAgreed = await ask({
    title: { w: 'rollback' },
    text: { w: 'rollbackText' },
    content: [
      field({ w: 'productId' }, id),
      field({ w: 'backTo' }, to),
      make('label.tick', {}, force, make('span', { w: 'forceBarred' })),
    ],
    confirm: { w: 'rollback' },
  });
  if (!isAgreed) return;
  const { history = [] } = station.active[id.value] ?? {};
  const { name, version } = history[Number(to.value)] ?? {};
  await post('algorithms/rollback', {
    pid: id.value,
    ...(name !== undefined && { to: { name, version } }),
    ...(force.checked && { force: true }),
    ...operator(),
  });
  await refresh();
  tell('done');
}

async function start(place, status) {
  const workers = make('input', {
    type: 'number',
    min: 1,
    max: 1024,
    value: String(status?.workers.length || 1),
    required: true,
  });
  const isAgreed = await ask({
    title: { w: 'start' },
    text: { w: 'startText' },
    content: field({ w: 'workers' }, workers),
    confirm: { w: 'start' },
  });
  if (!isAgreed) return;
  await post(`${place}/start`, { workers: Number(workers.value) });
  await refresh();
  tell('done');
}

/** Closes the circuit, or has the algorithm forget what belongs to one board. */
async function reset(place) {
  const session = make('input', { type: 'text', name: 'session', autocomplete: 'off', maxLength: 512 });
  const isAgreed = await ask({
    title: { w: 'reset' },
    text: { w: 'resetText' },
    content: field({ w: 'session' }, session, { w: 'sessionHint' }),
    confirm: { w: 'reset' },
  });
  if (!isAgreed) return;
  const id = session.value.trim();
  await post(`${place}/reset`, id === '' ? undefined : { session: id });
  await refresh();
  tell('done');
}

/** What the doctor says of this version alone, its files read. */
async function diagnose({ name, version }) {
  const found = await get(placeWith('doctor', { name, version, verify: 'true' }));
  open({ w: 'diagnose' }, findingsList(found), { className: 'drawer' });
}

function showDrift({ intact, files, bytes, drift }) {
  const head = make(
    'p',
    {},
    badge(intact ? 'OK' : 'NG', intact ? 'intact' : 'drifted'),
    ` ${files} · ${bytesOf(bytes)}`,
  );
  const rows = drift.map(({ path, kind }) => [path, make('span', { w: `drift_${kind}` })]);
  open(
    { w: 'verify' },
    [head, ...(rows.length > 0 ? [table([{ w: 'file' }, { w: 'state' }], rows, 'verify')] : [])],
    { className: 'drawer' },
  );
}

/** The station hides values of the environment: who changes the policy gives them again. */
async function configure(entry, status) {
  const { env, ...policy } = status?.policy ?? {};
  const text = make('textarea', {
    rows: 10,
    value: JSON.stringify(policy, null, 2),
    spellcheck: false,
    name: 'policy',
  });
  text.addEventListener('input', () => {
    try {
      JSON.parse(text.value);
      text.setCustomValidity('');
    } catch (error) {
      text.setCustomValidity(error.message);
    }
  });
  const content = [field({ w: 'policy' }, text, { w: 'policyHint' })];
  if (env) content.push(make('p.warning', { w: ['policyEnv', { names: Object.keys(env).join(', ') }] }));
  if (!(await ask({ title: { w: 'policy' }, text: { w: 'policyText' }, content, confirm: { w: 'keep' } })))
    return;
  await put(placeWith(`${placeOf(entry)}/policy`, operator()), JSON.parse(text.value));
  await refresh();
  tell('done');
}

async function uninstall(entry, serves) {
  const force = make('input', { type: 'checkbox' });
  const ways = make('input', { type: 'checkbox' });
  const query = () => ({
    ...(force.checked && { force: 'true' }),
    ...(ways.checked && { alsoRollbackTargets: 'true' }),
    ...operator(),
  });
  const isAgreed = await ask({
    title: { w: 'uninstall' },
    text: { w: ['uninstallText', { name: `${entry.name} ${entry.version}` }] },
    content: [
      ...(serves.length > 0
        ? [make('p.warning', { w: ['uninstallServes', { list: serves.join(', ') }] })]
        : []),
      make('label.tick', {}, ways, make('span', { w: 'alsoRollbackTargets' })),
      make('label.tick', {}, force, make('span', { w: 'forceUninstall' })),
    ],
    confirm: { w: 'uninstall' },
    danger: true,
  });
  if (!isAgreed) return;
  await remove(placeWith(placeOf(entry), query()));
  await refresh();
  tell('removed');
}
