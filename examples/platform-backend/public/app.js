/** The page of the example backend: plain DOM, no build step. */
const element = (id) => document.getElementById(id);

/** A failure as the backend tells it. */
class Fault extends Error {
  constructor({ code = 'no answer', error_code: number, detail, message }) {
    super(detail ?? message ?? 'The backend does not answer: is it running?');
    this.title = [code.replaceAll('_', ' '), number].filter(Boolean).join(' ');
  }
}

async function ask(path, init) {
  const response = await fetch(path, init);
  const body = response.status === 204 ? undefined : await response.json().catch(() => ({}));
  if (!response.ok) throw new Fault(body);
  return body;
}

function post(path, body) {
  const headers = { 'content-type': 'application/json' };
  return ask(path, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** Runs an action of the user's, and shows why it failed if it did, and what to do. */
async function attempt(action) {
  const fault = element('fault');
  fault.hidden = true;
  try {
    await action();
  } catch (error) {
    const title = document.createElement('strong');
    title.textContent = error.title ?? 'Something went wrong';
    fault.replaceChildren(title, error.message);
    fault.hidden = false;
  }
}

function make(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function chip(state) {
  const made = make('span', 'chip', state);
  made.dataset.state = state;
  return made;
}

function button(label, action) {
  const made = make('button', '', label);
  made.addEventListener('click', async () => {
    made.disabled = true;
    await attempt(action);
    await attemptQuietly(showPackages);
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

function fill(body, rows, none) {
  const line = document.createElement('tr');
  const cell = line.insertCell();
  Object.assign(cell, { colSpan: 9, className: 'none', textContent: none });
  body.replaceChildren(...(rows.length > 0 ? rows : [line]));
}

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
  return [
    ...(isWhole
      ? []
      : [
          isTaken
            ? button('switch', bind('/algorithms/switch'))
            : button('activate', bind('/algorithms/activate')),
        ]),
    ...(serves.length > 0 ? [] : [button('remove', () => ask(place, { method: 'DELETE' }))]),
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
  const chosen = element('pid').value;
  element('pid').replaceChildren(
    ...Object.keys(active).map((pid) => new Option(pid, pid, false, pid === chosen)),
  );
}

function showWorkers(deployments) {
  const rows = deployments.flatMap(({ name, version, circuit, workers }) =>
    workers.map(({ state, pid, calls, latency, rssBytes, restarts }) => {
      const shown = circuit === 'open' ? 'failed' : state;
      const median = latency.p50Ms === undefined ? '–' : `${latency.p50Ms.toFixed(1)} ms`;
      const memory = rssBytes === undefined ? '–' : `${Math.round(rssBytes / 1e6)} MB`;
      return row(
        [
          title(name, version),
          chip(shown),
          String(pid ?? '–'),
          String(calls),
          median,
          memory,
          String(restarts),
        ],
        2,
      );
    }),
  );
  fill(element('workers'), rows, 'No worker is running: one starts with the first inspection.');
}

/** Follows the workers; the browser connects again by itself when the backend was away. */
function followStatus() {
  const link = element('link');
  const say = (state, text) => {
    link.dataset.state = state;
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
  element('upload').hidden = false;
  const tell = (fraction, stage) => {
    element('progress').value = fraction;
    element('percent').textContent = `${Math.round(fraction * 100)} %`;
    if (stage) element('stage').textContent = stage;
  };
  tell(0, `sending ${file.name}`);
  const headers = { 'content-type': 'application/zip', accept: 'text/event-stream' };
  const response = await fetch('/algorithms/install', { method: 'POST', headers, body: file });
  if (!response.ok) throw new Fault(await response.json());
  try {
    for await (const [name, told] of eventsOf(response.body)) {
      if (name === 'failed') throw new Fault(told);
      if (name === 'progress') tell(told.fraction, told.stage);
      if (name === 'installed') tell(1, `${told.name} ${told.version} installed`);
    }
  } catch (error) {
    element('upload').hidden = true;
    throw error;
  }
  await showPackages();
}

/** Server-sent events of a response; comments are passed over. */
async function* eventsOf(body) {
  let buffered = '';
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const events = (buffered + part.value).split('\n\n');
    buffered = events.pop();
    for (const event of events) {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? [];
      if (name) yield [name, JSON.parse(data)];
    }
  }
}

async function inspect(file) {
  const pid = element('pid').value;
  if (pid === '')
    throw new Fault({ code: 'no product', detail: 'Activate a package for a product id first.' });
  const bitmap = await createImageBitmap(file);
  const canvas = element('picture');
  const { width, height } = bitmap;
  Object.assign(canvas, { width, height });
  const drawing = canvas.getContext('2d');
  drawing.drawImage(bitmap, 0, 0);
  const rgba = drawing.getImageData(0, 0, width, height).data;
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    rgb[to++] = rgba[from];
    rgb[to++] = rgba[from + 1];
    rgb[to++] = rgba[from + 2];
  }
  showVerdict('', 'inspecting…');
  element('boxes').replaceChildren();
  const query = new URLSearchParams({ pid, width, height });
  try {
    const { status, message, data, timing } = await ask(`/inspect?${query}`, { method: 'POST', body: rgb });
    const verdict = status === 'OK' ? data.result_status : status;
    const why = data.ng_reason || message;
    showVerdict(verdict, `${[verdict, why].filter(Boolean).join(': ')} (${timing.totalMs.toFixed(0)} ms)`);
    drawBoxes(drawing, data.defect_rects ?? []);
  } catch (error) {
    showVerdict('', '');
    throw error;
  }
}

function showVerdict(verdict, text) {
  element('verdict').dataset.verdict = verdict;
  element('verdict').textContent = text;
}

function drawBoxes(drawing, boxes) {
  const unit = Math.max(1, drawing.canvas.width / 640);
  Object.assign(drawing, { strokeStyle: '#e53935', fillStyle: '#e53935', lineWidth: 3 * unit });
  drawing.font = `${14 * unit}px system-ui, sans-serif`;
  for (const { x, y, width, height, label } of boxes) {
    drawing.strokeRect(x, y, width, height);
    if (label) drawing.fillText(label, x, y > 20 * unit ? y - 6 * unit : y + height + 16 * unit);
  }
  element('boxes').replaceChildren(
    ...boxes.map(({ x, y, width, height, label = 'defect', score }) => {
      const sure = score === undefined ? '' : `, score ${score.toFixed(2)}`;
      return make('li', '', `${label}: ${width} × ${height} at ${x}, ${y}${sure}`);
    }),
  );
}

/** Takes the file of an input, also the same one again. */
function onFile(input, action) {
  input.addEventListener('change', async () => {
    const [file] = input.files;
    if (file) await attempt(() => action(file));
    input.value = '';
  });
}

onFile(element('package-file'), upload);
onFile(element('picture-file'), inspect);
const drop = element('drop');
drop.addEventListener('dragover', (event) => {
  event.preventDefault();
  drop.classList.add('over');
});
drop.addEventListener('dragleave', () => drop.classList.remove('over'));
drop.addEventListener('drop', (event) => {
  event.preventDefault();
  drop.classList.remove('over');
  const [file] = event.dataTransfer.files;
  if (file) void attempt(() => upload(file));
});
followStatus();
await attempt(showPackages);
