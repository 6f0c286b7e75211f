/** The page of the example backend: plain DOM, no build step. */
const element = (id) => document.getElementById(id);

async function ask(path, init) {
  const response = await fetch(path, init);
  const body = response.status === 204 ? undefined : await response.json();
  if (!response.ok) throw new Error(body.detail ?? body.message ?? response.statusText);
  return body;
}

function post(path, body) {
  return ask(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

/** Runs an action of the user's, and shows why it failed if it did. */
async function attempt(action) {
  element('fault').textContent = '';
  try {
    await action();
  } catch (error) {
    element('fault').textContent = error.message;
  }
}

function row(cells) {
  const line = document.createElement('tr');
  for (const cell of cells) {
    const box = line.insertCell();
    if (cell instanceof Node) box.append(cell);
    else box.textContent = String(cell);
  }
  return line;
}

function button(label, action) {
  const made = document.createElement('button');
  made.textContent = label;
  made.addEventListener('click', () => void attempt(action));
  return made;
}

async function showPackages() {
  const [packages, active] = await Promise.all([ask('/algorithms'), ask('/algorithms/active')]);
  const mappings = Object.values(active);
  element('packages').replaceChildren(
    ...packages.map((entry) => {
      const { name, version, state, supported_pids: supported } = entry;
      const serves = mappings.filter((m) => m.name === name && m.version === version).map((m) => m.pid);
      const pids = supported.length > 0 ? supported : [element('pid').value];
      const isOther = mappings.some((m) => pids.includes(m.pid) && !serves.includes(m.pid));
      const bind = isOther
        ? button('switch', () => post('/algorithms/switch', { name, version, pids }).then(showPackages))
        : button('activate', () => post('/algorithms/activate', { name, version, pids }).then(showPackages));
      if (serves.length > 0 && element('pid').value === '') element('pid').value = serves[0];
      return row([name, version, state, serves.join(', ') || '–', serves.length > 0 ? '' : bind]);
    }),
  );
}

async function showWorkers() {
  const deployments = await ask('/status');
  element('workers').replaceChildren(
    ...deployments.flatMap(({ name, version, workers, queued }) =>
      workers.map((worker) =>
        row([
          `${name} ${version}`,
          worker.state,
          worker.pid ?? '–',
          worker.restarts,
          worker.inFlight,
          queued,
        ]),
      ),
    ),
  );
}

/** Sends the package and follows its installation event by event. */
async function upload(file) {
  const bar = element('progress');
  bar.hidden = false;
  const response = await fetch('/algorithms/install', {
    method: 'POST',
    headers: { 'content-type': 'application/zip', accept: 'text/event-stream' },
    body: file,
  });
  if (!response.body || !response.headers.get('content-type')?.includes('event-stream')) {
    throw new Error((await response.json()).detail);
  }
  let buffered = '';
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const events = (buffered + part.value).split('\n\n');
    buffered = events.pop();
    for (const event of events) {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(event);
      const told = JSON.parse(data);
      if (name === 'failed') throw new Error(told.detail);
      if (name === 'progress') bar.value = told.fraction;
      element('stage').textContent =
        name === 'installed' ? `${told.name} ${told.version} installed` : (told.stage ?? '');
    }
  }
  await showPackages();
}

async function inspect(file) {
  const bitmap = await createImageBitmap(file);
  const canvas = element('picture');
  const { width, height } = bitmap;
  Object.assign(canvas, { width, height });
  const drawing = canvas.getContext('2d');
  drawing.drawImage(bitmap, 0, 0);
  const rgba = drawing.getImageData(0, 0, width, height).data;
  const rgb = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    rgb.set(rgba.subarray(pixel * 4, pixel * 4 + 3), pixel * 3);
  }
  const query = new URLSearchParams({ pid: element('pid').value, width, height });
  const { status, message, data } = await ask(`/inspect?${query}`, { method: 'POST', body: rgb });
  const verdict = status === 'OK' ? data.result_status : status;
  element('verdict').dataset.verdict = verdict;
  element('verdict').textContent = [verdict, data.ng_reason ?? message].filter(Boolean).join(': ');
  drawing.strokeStyle = '#e53935';
  drawing.lineWidth = 3;
  for (const box of data.defect_rects ?? []) drawing.strokeRect(box.x, box.y, box.width, box.height);
}

element('package-file').addEventListener(
  'change',
  (event) => void attempt(() => upload(event.target.files[0])),
);
element('picture-file').addEventListener(
  'change',
  (event) => void attempt(() => inspect(event.target.files[0])),
);
await attempt(showPackages);
setInterval(() => void showWorkers().catch(() => undefined), 1000);
