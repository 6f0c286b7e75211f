/** A picture in, a verdict out: dropped, chosen, or the last one again with other parameters. */
import { Failure, get, operator, placeWith, put, send } from './api.mjs';
import { attempt, button, failure, field, make, takeDrops, tell, viewOf } from './dom.mjs';
import { parametersForm } from './form.mjs';
import { remember } from './history.mjs';
import { labelOf, verdictOf } from './marks.mjs';
import { decoded, pictureView, sizeAround } from './picture.mjs';
import { onChange, station } from './station.mjs';

const TYPES = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  tif: 'image/tiff',
  tiff: 'image/tiff',
  bmp: 'image/bmp',
  webp: 'image/webp',
};
const MARKS = { OK: '✓', NG: '✕' };

const product = make('select', { name: 'product' });
const step = make('select', { name: 'step' });
const guide = make(
  'select',
  { name: 'guide' },
  ['kept', 'same', 'file'].map((value) => make('option', { value, w: `guide_${value}` })),
);
const guideFile = make('input', { type: 'file', accept: 'image/*', hidden: true, wLabel: 'guide_file' });
const stepField = field({ w: 'step' }, step);
const timeout = make('input', { type: 'number', name: 'timeout', min: 1, max: 3600, step: 'any' });
const orientation = make(
  'select',
  { name: 'orientation' },
  ['apply', 'ignore'].map((value) => make('option', { value, w: `orientation_${value}` })),
);
const decode = make(
  'select',
  { name: 'decode' },
  ['host', 'package'].map((value) => make('option', { value, w: `decode_${value}` })),
);
const eightBits = make('input', {
  type: 'text',
  name: 'eightBits',
  pattern: 'shift|\\d{1,5}-\\d{1,5}',
  placeholder: 'shift, 0-4095',
  autocomplete: 'off',
});
const how = make(
  'form',
  { on: { submit: (event) => event.preventDefault() } },
  field({ w: 'timeout' }, timeout, { w: 'timeoutHint' }),
  field({ w: 'orientation' }, orientation),
  field({ w: 'decode' }, decode),
  field({ w: 'eightBits' }, eightBits, { w: 'eightBitsHint' }),
);
const parameters = make('div');
const verdict = make('div.verdict', { role: 'status', 'aria-live': 'polite', 'aria-atomic': 'true' });
const boxes = make('ol.boxes');
const canvas = make('canvas', { role: 'img', hidden: true });
const stage = make('div.stage', {}, canvas);
const hint = make('p', { w: 'dropHere' });
/** What leads to the first verdict, where nothing serves yet. */
const first = make(
  'div.first',
  { hidden: true },
  make('p', { w: 'firstNothing' }),
  make(
    'ol',
    {},
    make('li', {}, make('a', { href: '#versions', w: 'firstInstall' })),
    make('li', { w: 'firstActivate' }),
    make('li', { w: 'firstInspect' }),
  ),
  make('p', { w: 'firstNone' }),
  make('code', {}, 'npx procvision-runner quickstart'),
);
const drop = make('div.drop', {}, stage, hint, first);
const file = make('input.unseen', { type: 'file', accept: 'image/*,.tif,.tiff', id: 'picture' });
const again = button('again', () => last && inspect(last));
const view = pictureView(canvas, stage);

let last;
let form;
/** Of the version whose form is shown. */
let shownFor = '';
let steps = [];
let isBusy = false;

/** A verdict is a word and a colour, and a mark for who sees no colour. */
function say(state, word, why = '', about = '') {
  verdict.dataset.state = state;
  const mark = MARKS[state];
  verdict.replaceChildren(
    make('strong', {}, ...(mark ? [make('span', { 'aria-hidden': 'true' }, `${mark} `)] : []), word),
    make('div', {}, typeof why === 'string' ? make('p', {}, why) : why, make('small', {}, about)),
  );
}
const ready = () => say('', make('span', { w: first.hidden ? 'waiting' : 'nothingServes' }));

function body(picture) {
  const values = form?.values() ?? {};
  const type =
    picture.type || TYPES[picture.name.split('.').at(-1)?.toLowerCase()] || 'application/octet-stream';
  const data = new FormData();
  data.append('image', new Blob([picture], { type }), picture.name);
  if (Object.keys(values).length > 0) data.append('params', JSON.stringify(values));
  if (guide.value === 'same') data.append('guide_image', 'same');
  if (guide.value === 'file' && guideFile.files[0]) data.append('guide_image', guideFile.files[0]);
  return data;
}

/** How it is to be inspected, where that is not as always. */
const queryNow = () => ({
  ...(step.value !== '' && { step: step.value }),
  ...(timeout.value !== '' && { timeoutMs: String(Math.ceil(Number(timeout.value) * 1_000)) }),
  ...(orientation.value !== 'apply' && { orientation: orientation.value }),
  ...(decode.value !== 'host' && { decode: decode.value }),
});

/** Inspects a picture; whatever becomes of it, the verdict says so. */
async function inspect(picture) {
  if (isBusy) return;
  const productId = product.value;
  isBusy = true;
  last = picture;
  again.hidden = false;
  boxes.replaceChildren();
  hint.hidden = true;
  first.hidden = true;
  say('busy', make('span', { w: 'inspecting' }), '', picture.name);
  const shown = await decoded(picture);
  view.show(shown.bitmap && { ...shown, result: undefined });
  canvas.setAttribute('aria-label', picture.name);
  try {
    if (productId === '') throw new Failure(undefined, 'noProduct');
    if (form && !form.check()) throw new Failure(undefined, 'wrongParameters');
    if (!how.reportValidity()) throw new Failure(undefined, 'wrongParameters');
    const answer = await send(placeWith(`inspections/${encodeURIComponent(productId)}`, queryNow()), {
      method: 'POST',
      headers: eightBits.value === '' ? {} : { 'x-image-to-eight-bits': eightBits.value },
      body: body(picture),
    });
    await show(await answer.json(), productId, shown);
  } catch (error) {
    say('ERROR', make('span', { w: 'notInspected' }), failure(error), picture.name);
  } finally {
    isBusy = false;
  }
}

async function show(result, productId, shown) {
  const found = result.data.defect_rects ?? [];
  const sized = shown.bitmap ? shown : { ...shown, ...sizeAround(found) };
  view.show({ ...sized, result });
  const word = verdictOf(result);
  const { exception } = result;
  const why =
    word === 'ERROR'
      ? [exception?.type, result.message].filter(Boolean).join(': ')
      : (result.data.ng_reason ?? result.message);
  const about = [
    shown.file.name,
    productId,
    `${result.name} ${result.version}`,
    `${result.timing.totalMs.toFixed(0)} ms`,
  ].join(' · ');
  const notes = result.warnings.map((warning) => make('p.warning', {}, warning));
  const trace = exception?.traceback
    ? [make('pre', { tabIndex: 0, role: 'group', wLabel: 'traceback' }, exception.traceback)]
    : [];
  say(
    word,
    word === '?' ? make('span', { w: 'verdictNone' }) : word,
    make('div', {}, make('p', {}, why), notes, trace),
    about,
  );
  boxes.replaceChildren(
    ...found.map((box, index) =>
      make('li', {}, `${labelOf(box, index)}: ${box.width} × ${box.height} @ ${box.x}, ${box.y}`),
    ),
  );
  await remember(result, productId, sized);
}

/** The products that are served, and the form of the version that serves the chosen one. */
function showProducts() {
  const ids = Object.keys(station.active).sort();
  if (ids.join('\n') !== [...product.options].map(({ value }) => value).join('\n')) {
    const chosen = product.value;
    product.replaceChildren(...ids.map((id) => make('option', { value: id, selected: id === chosen }, id)));
  }
  product.disabled = ids.length === 0;
  const isFirst = !last && station.isKnown && ids.length === 0;
  if (first.hidden === isFirst) {
    first.hidden = !isFirst;
    hint.hidden = isFirst || last !== undefined;
    if (!last) ready();
  }
  const { name, version, activated_at: at } = station.active[product.value] ?? {};
  const key = JSON.stringify([product.value, name, version, at]);
  if (key !== shownFor) {
    shownFor = key;
    void attempt(() => showForm(product.value, name, version));
  }
}

async function showForm(productId, name, version) {
  form = undefined;
  steps = [];
  parameters.replaceChildren();
  if (name === undefined) return;
  const path = `algorithms/${encodeURIComponent(name)}/${encodeURIComponent(version)}/parameters`;
  const kept = `algorithms/active/${encodeURIComponent(productId)}/params`;
  const [schema, values] = await Promise.all([get(path), get(kept)]);
  if (product.value !== productId) return;
  steps = schema.steps;
  step.replaceChildren(
    ...steps.map(({ index, name: title }) =>
      make('option', { value: index }, title ? `${index} ${title}` : String(index)),
    ),
  );
  stepField.hidden = steps.length < 2;
  showStep(values, kept);
  step.onchange = () => showStep(values, kept);
}

function showStep(values, kept) {
  const schema = steps.find(({ index }) => String(index) === step.value)?.schema ??
    steps[0]?.schema ?? { type: 'object' };
  form = parametersForm(schema, values);
  const keep = button('keep', async () => {
    if (!form.check()) return;
    values = await put(placeWith(kept, operator()), { ...without(values, schema), ...form.values() });
    tell('keptParameters');
  });
  const clear = button('clear', async () => {
    values = await put(placeWith(kept, operator()), {});
    showStep(values, kept);
    tell('clearedParameters');
  });
  parameters.replaceChildren(form.element, make('div.actions', {}, keep, clear));
}

/** Values that another step of the version has. */
const without = (values, { properties = {} }) =>
  Object.fromEntries(Object.entries(values).filter(([key]) => !Object.hasOwn(properties, key)));

export function build() {
  guide.addEventListener('change', () => (guideFile.hidden = guide.value !== 'file'));
  product.addEventListener('change', showProducts);
  file.addEventListener('change', async () => {
    const [chosen] = file.files;
    if (!chosen) return;
    await inspect(chosen);
    file.value = ''; // the same file may be chosen again
  });
  again.hidden = true;
  takeDrops(drop, inspect);
  viewOf('inspect').append(
    make(
      'div.controls',
      {},
      make('h2', { w: 'navInspect' }),
      field({ w: 'productId' }, product),
      stepField,
      make('label.file.primary', {}, file, make('span', { w: 'choosePicture' })),
      again,
    ),
    make('div.result', {}, verdict, drop, boxes),
    make(
      'div.settings',
      {},
      make(
        'details',
        {},
        make('summary', { w: 'guide' }),
        field({ w: 'guide' }, guide, { w: 'guideHint' }),
        guideFile,
      ),
      make(
        'details',
        { open: matchMedia('(min-width: 60rem)').matches },
        make('summary', { w: 'parameters' }),
        parameters,
      ),
      make('details', {}, make('summary', { w: 'moreOptions' }), how),
    ),
  );
  stepField.hidden = true;
  onChange(showProducts);
  ready();
}
