/** The page of the example backend: plain DOM, no build step. */
const element = (id) => document.getElementById(id);

const HINT =
  'A package is checked, installed in an environment of its own and tried, and serves once it is activated.';
/** More would not fit the memory of a small station; the browser's own limit is a blank picture. */
const MOST_PIXELS = 64e6;

/** A failure as the backend tells it. */
class Fault extends Error {
  constructor({ code = 'no answer', error_code: number, detail, message }) {
    super(detail ?? message ?? AWAY);
    this.title = [code.replaceAll('_', ' '), number].filter(Boolean).join(' ');
  }

  get inOneLine() {
    return `${this.title}: ${this.message}`;
  }
}

const AWAY = 'The backend does not answer: see that it is running, then try again.';

/** Sends a request; an error of the browser becomes a sentence. */
const send = (path, init) =>
  fetch(path, init).catch(() => {
    throw new Fault({ detail: AWAY });
  });

async function ask(path, init) {
  const response = await send(path, init);
  const body = response.status === 204 ? undefined : await response.json().catch(() => ({}));
  if (!response.ok) throw new Fault(body);
  return body;
}

function post(path, body) {
  const headers = { 'content-type': 'application/json' };
  return ask(path, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** The place that tells what became of an upload or a button: one of its three parts is seen, its size never changes. */
function notice(part, ...content) {
  for (const id of ['hint', 'upload', 'fault']) element(id).hidden = id !== part;
  if (part !== 'upload') element(part).replaceChildren(...content);
  element('notice').scrollTop = 0;
}

/** Runs an action on packages, and shows why it failed if it did, and what to do. */
async function attempt(action) {
  try {
    await action();
  } catch (error) {
    notice('fault', make('strong', '', error.title ?? 'fault of this page'), error.message);
  }
}

function make(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function chip(state, text = state) {
  const made = make('span', 'chip', text);
  made.dataset.state = state;
  return made;
}

/** A button of a table's row. It stays enabled while it works, so that the keyboard's focus stays on it. */
function button(label, of, action) {
  const made = make('button', '', label);
  made.ariaLabel = `${label} ${of}`;
  made.dataset.of = of;
  made.addEventListener('click', async () => {
    if (made.ariaBusy) return;
    made.ariaBusy = 'true';
    await attempt(async () => {
      await action();
      notice('hint', HINT);
    });
    await attemptQuietly(showPackages);
    made.ariaBusy = null;
  });
  return made;
}

/** What is not worth an alarm: it is tried again with the next change. */
const attemptQuietly = (action) => action().catch(() => undefined);

/** A row of cells; a cell is a text, a node, or a list of them. */
function row(cells, numbersFrom = Infinity) {
  const line = document.createElement('tr');
  for (const [index, cell] of cells.entries()) {
    const box = line.insertCell();
    if (index >= numbersFrom) box.className = 'number';
    box.append(...[cell].flat());
  }
  return line;
}

/** A row that is one cell. */
function across(colSpan, className, text) {
  const line = document.createElement('tr');
  Object.assign(line.insertCell(), { colSpan, className, textContent: text });
  return line;
}

function fill(body, rows, none) {
  const focused = body.contains(document.activeElement) ? document.activeElement.dataset.of : undefined;
  body.replaceChildren(
    ...(rows.length > 0 ? rows : [across(body.previousElementSibling.rows[0].cells.length, 'none', none)]),
  );
  if (focused) body.querySelector(`[data-of="${CSS.escape(focused)}"]`)?.focus();
}

const NOT_READY = 'Upload a package and activate it for a product first.';

const title = (name, version) => [name, make('span', 'version', version)];

/** What can be done with a version: activate it where its product ids are free, else switch them to it. */
function actionsOf({ name, version, supported_pids: supported }, mappings, serves) {
  const asked = () => {
    const pid = supported.length > 0 ? undefined : prompt(`Product id for ${name} ${version}`);
    return pid === undefined ? supported : [pid].filter(Boolean);
  };
  const bind = (path) => async () => {
    const pids = asked();
    if (pids.length > 0) await post(path, { name, version, pids });
  };
  const isTaken = mappings.some(({ pid }) => supported.includes(pid) && !serves.includes(pid));
  const isWhole = supported.length > 0 && supported.every((pid) => serves.includes(pid));
  const place = `/algorithms/${encodeURIComponent(name)}/${encodeURIComponent(version)}`;
  const of = `${name} ${version}`;
  const remove = async () => {
    if (confirm(`Remove ${of} from this machine?`)) await ask(place, { method: 'DELETE' });
  };
  const label = isTaken ? 'switch' : 'activate';
  return [
    ...(isWhole ? [] : [button(label, of, bind(`/algorithms/${label}`))]),
    ...(serves.length > 0 ? [] : [button('remove', of, remove)]),
  ];
}

async function showPackages() {
  const [packages, active] = await Promise.all([ask('/algorithms'), ask('/algorithms/active')]);
  const mappings = Object.values(active);
  const rows = packages.map((entry) => {
    const { name, version, state } = entry;
    const serves = mappings.filter((m) => m.name === name && m.version === version).map((m) => m.pid);
    return row([
      title(name, version),
      chip(state),
      serves.join(', ') || '–',
      actionsOf(entry, mappings, serves),
    ]);
  });
  fill(element('packages'), rows, 'Nothing is deployed yet.');
  const pids = Object.keys(active);
  const chosen = element('pid').value;
  const options = pids.map((pid) => new Option(pid, pid, false, pid === chosen));
  element('pid').replaceChildren(...(options.length > 0 ? options : [new Option('none active', '')]));
  if (!element('verdict').dataset.verdict) {
    showVerdict('', pids.length > 0 ? 'Ready' : 'Not ready', pids.length > 0 ? '' : NOT_READY);
  }
}

/** What the states of a worker are called here; the others as they are. */
const WORDS = { waiting: 'restarting', exited: 'stopped' };

function showWorkers(deployments) {
  const rows = deployments.flatMap(({ name, version, circuit, workers }) =>
    workers.flatMap(({ state, pid, calls, latency, rssBytes, restarts, lastError }) => {
      const shown = circuit === 'open' ? 'failed' : state;
      const median = latency.p50Ms === undefined ? '–' : `${latency.p50Ms.toFixed(1)} ms`;
      const memory = rssBytes === undefined ? '–' : `${Math.round(rssBytes / 1e6)} MB`;
      const numbers = [String(pid ?? '–'), String(calls), median, memory, String(restarts)];
      const line = row([title(name, version), chip(shown, WORDS[shown]), ...numbers], 2);
      if (!lastError || ['idle', 'busy'].includes(shown)) return [line];
      return [line, across(line.cells.length, 'why', new Fault(lastError).inOneLine)];
    }),
  );
  fill(element('workers'), rows, 'No worker is running: one starts with the first inspection.');
}

/** Follows the workers; the browser connects again by itself when the backend was away. */
function followStatus() {
  const link = element('link');
  const say = (state, text) => {
    link.dataset.state = element('live').dataset.link = state;
    link.textContent = text;
  };
  let states = '';
  const source = new EventSource('/status');
  source.onopen = () => say('live', 'live');
  source.onerror = () => say('lost', 'backend is away');
  source.onmessage = ({ data }) => {
    const deployments = JSON.parse(data);
    showWorkers(deployments);
    const seen = JSON.stringify(deployments.map(({ name, version, state }) => [name, version, state]));
    if (seen !== states) void attemptQuietly(showPackages);
    states = seen;
  };
}

/** Sends the package and follows its installation event by event. */
async function upload(file) {
  const { progress, percent, stage } = Object.fromEntries(
    ['progress', 'percent', 'stage'].map((id) => [id, element(id)]),
  );
  progress.removeAttribute('value'); // the browser does not tell how much it has sent
  percent.textContent = '';
  stage.textContent = `sending ${file.name}`;
  notice('upload');
  const headers = { 'content-type': 'application/zip', accept: 'text/event-stream' };
  const response = await send('/algorithms/install', { method: 'POST', headers, body: file });
  if (!response.ok) throw new Fault(await response.json().catch(() => ({})));
  let installed;
  for await (const [name, data] of eventsOf(response.body)) {
    if (name === 'failed') throw new Fault(data);
    if (name === 'installed') installed = data;
    if (name !== 'progress') continue;
    progress.value = data.fraction;
    percent.textContent = `${Math.round(data.fraction * 100)} %`;
    if (stage.textContent !== data.stage) stage.textContent = data.stage;
  }
  if (!installed) throw new Fault({ detail: `${file.name} was not installed to its end. ${AWAY}` });
  const { name, version } = installed;
  notice('hint', make('strong', '', `✓ ${name} ${version} installed`), 'Activate it to let it serve.');
  await showPackages();
}

/** Server-sent events of a response; comments are passed over. */
async function* eventsOf(body) {
  let buffered = '';
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const read = () => reader.read().catch(() => ({ done: true })); // the backend went away
  for (let part = await read(); !part.done; part = await read()) {
    const events = (buffered + part.value).split('\n\n');
    buffered = events.pop();
    for (const event of events) {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? [];
      if (name) yield [name, JSON.parse(data)];
    }
  }
}

/** Inspects a picture; whatever happens, the verdict says so. */
async function inspect(file) {
  const pid = element('pid').value;
  clearVerdict('BUSY', 'Inspecting…', file.name);
  try {
    if (pid === '') throw new Fault({ code: 'no product', detail: NOT_READY });
    const { width, height, rgb } = await showPicture(file);
    const query = new URLSearchParams({ pid, width, height });
    const result = await ask(`/inspect?${query}`, { method: 'POST', body: rgb });
    const { status, message, data, timing, name, version } = result;
    if (status !== 'OK') {
      const code = result.exception ?? 'algorithm error';
      throw new Fault({ code, error_code: result.errorCode, detail: message || 'It gives no reason.' });
    }
    const boxes = data.defect_rects ?? [];
    markBoxes(boxes, width, height);
    const verdict = data.result_status;
    const about = [file.name, pid, `${name} ${version}`, `${timing.totalMs.toFixed(0)} ms`].join(' · ');
    showVerdict(verdict, verdict, data.ng_reason || message || countOf(boxes), about);
  } catch (error) {
    showVerdict('FAULT', 'FAULT', error.inOneLine ?? error.message, `${file.name} · not inspected`);
  }
}

const countOf = ({ length }) =>
  length === 0 ? 'Nothing found.' : `${length} ${length === 1 ? 'box' : 'boxes'}.`;

/** Shows the picture and gives its RGB bytes. */
async function showPicture(file) {
  const bitmap = await createImageBitmap(file).catch(() => {
    const isPicture = file.type.startsWith('image/');
    const fault = isPicture
      ? 'is damaged, or of a kind or size this browser cannot read'
      : 'is not a picture';
    throw new Fault({
      code: 'no picture',
      detail: `${file.name} ${fault}: choose a PNG, JPEG, WebP or BMP file.`,
    });
  });
  const { width, height } = bitmap;
  if (width * height > MOST_PIXELS) {
    const most = `at most ${MOST_PIXELS / 1e6} million pixels: crop it or scale it down`;
    throw new Fault({
      code: 'picture too large',
      detail: `${file.name} is ${width} × ${height}, and may have ${most}.`,
    });
  }
  const canvas = Object.assign(element('picture'), { width, height, ariaLabel: file.name });
  const drawing = canvas.getContext('2d', { willReadFrequently: true });
  drawing.drawImage(bitmap, 0, 0);
  bitmap.close();
  const rgba = drawing.getImageData(0, 0, width, height).data;
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    rgb[to++] = rgba[from];
    rgb[to++] = rgba[from + 1];
    rgb[to++] = rgba[from + 2];
  }
  element('marks').replaceChildren();
  element('frame').style.setProperty('--ratio', width / height);
  element('frame').hidden = false;
  return { width, height, rgb };
}

function showVerdict(verdict, word, why, about = '') {
  const shown = element('verdict');
  shown.dataset.verdict = verdict;
  shown.scrollTop = 0;
  const [big, reason, small] = shown.querySelectorAll('strong, p, small');
  [big.textContent, reason.textContent, small.textContent] = [word, why, about];
}

/** The picture and boxes of the last inspection go with its verdict: what is seen belongs together. */
function clearVerdict(...verdict) {
  element('frame').hidden = true;
  element('boxes').replaceChildren();
  showVerdict(...verdict);
}

/** Boxes and labels lie over the picture in shares of its size, so they stay sharp at any; labels stay inside it. */
function markBoxes(boxes, width, height) {
  const marks = boxes.flatMap((box, index) => {
    const [x, y, w, h] = [box.x / width, box.y / height, box.width / width, box.height / height];
    const label = make('span', 'label', [index + 1, box.label].filter(Boolean).join(' '));
    label.classList.add(x + w / 2 < 0.5 ? 'from-left' : 'from-right', y > 0.1 ? 'above' : 'below');
    return [make('span', 'box', ''), label].map((mark) => {
      for (const [name, share] of Object.entries({ x, y, w, h })) mark.style.setProperty(`--${name}`, share);
      return mark;
    });
  });
  element('marks').replaceChildren(...marks);
  element('boxes').replaceChildren(
    ...boxes.map(({ x, y, width, height, label = 'defect', score }) => {
      const sure = score === undefined ? '' : `, score ${score.toFixed(2)}`;
      return make('li', '', `${label}: ${width} × ${height} at ${x}, ${y}${sure}`);
    }),
  );
}

/** Handles the file of an input, also the same file again, and a file that is dropped on its zone; one at a time. */
function onFile(input, zone, action) {
  const take = async ([file]) => {
    if (!file || input.disabled) return;
    const isFocused = document.activeElement === input;
    input.disabled = true;
    await action(file);
    Object.assign(input, { disabled: false, value: '' });
    if (isFocused) input.focus();
  };
  input.addEventListener('change', () => take(input.files));
  const light = (isOver) => zone.classList.toggle('over', isOver);
  zone.addEventListener('dragover', () => light(true));
  zone.addEventListener('dragleave', () => light(false));
  zone.addEventListener('drop', ({ dataTransfer }) => {
    light(false);
    void take(dataTransfer.files);
  });
}

// A file that misses its zone would replace this page.
for (const type of ['dragover', 'drop']) addEventListener(type, (event) => event.preventDefault());
onFile(element('package-file'), element('drop'), (file) => attempt(() => upload(file)));
onFile(element('picture-file'), element('view'), inspect);
element('pid').addEventListener('change', () => {
  if (element('verdict').dataset.verdict !== 'BUSY') clearVerdict('', 'Ready', '');
});
notice('hint', HINT);
followStatus();
await attempt(showPackages);
