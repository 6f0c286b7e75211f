/**
 * Elements. Texts go in as text nodes and attributes alone: what a package, a log or a label says is never read as HTML.
 * `w` names words of the page, which are changed with its language; see words.mjs.
 */
import { translate } from './words.mjs';

const SVG = 'http://www.w3.org/2000/svg';

export const byId = (id) => document.getElementById(id);
export const viewOf = (name) => document.querySelector(`[data-view="${name}"]`);

/**
 * An element with its properties and children.
 *
 * @param tag - as `button` or `button.danger`
 * @param props - `w`, `wLabel`, `wPlaceholder`: words, by key or as [key, values]; `wElse`: what stands for `w` in a language without it; `on`: listeners; `data`: of dataset; else properties
 *   of the element, or attributes where their names have a hyphen
 */
export function make(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  if (classes.length > 0) element.className = classes.join(' ');
  if (name === 'button') element.type = 'button';
  const { w, wElse, wLabel, wPlaceholder, on = {}, data = {}, ...others } = props;
  const words = { w, wlabel: wLabel, wplaceholder: wPlaceholder };
  for (const [kind, given] of Object.entries(words)) {
    if (given === undefined) continue;
    const [key, values] = [given].flat();
    element.dataset[kind] = key;
    if (values) element.dataset[`${kind}Values`] = JSON.stringify(values);
  }
  if (wElse !== undefined) element.dataset.wElse = wElse;
  Object.assign(element.dataset, data);
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
  for (const [key, value] of Object.entries(others)) {
    if (value === undefined) continue;
    if (key.includes('-') || key === 'role') element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== ''));
  translate(element);
  return element;
}

/** An element of SVG with its attributes. */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** A word in a box of its state's colour. */
export const badge = (state, w, text) =>
  make('span.badge', { data: { state }, ...(w !== undefined && { w }) }, w === undefined ? text : '');

/** A text of the station, which speaks English. */
export const english = (text, tag = 'p') => make(tag, { lang: 'en' }, text);
/** The same where the page says it in its own words above: it is left out in English. */
export const original = (text) => make('p.original', { lang: 'en' }, text);

/** A button that shows that it works, and takes no second press until then. It keeps the keyboard's focus. */
export function button(w, action, { className = '', wLabel } = {}) {
  const made = make('button', { w, wLabel, className });
  made.addEventListener('click', async () => {
    if (made.ariaBusy === 'true') return;
    made.ariaBusy = 'true';
    try {
      await attempt(action);
    } finally {
      made.ariaBusy = null;
    }
  });
  return made;
}

/** A field with its label; an explanation stands below it. */
export function field(label, input, hint) {
  const words = typeof label === 'object' ? make('span', label) : make('span', {}, label);
  const id = `f${++count}`;
  if (hint) input.setAttribute('aria-describedby', id);
  return make(
    'div.field',
    {},
    make('label', {}, words, input),
    ...(hint
      ? [make('small', { id, ...(typeof hint === 'object' && hint) }, typeof hint === 'object' ? '' : hint)]
      : []),
  );
}
let count = 0;

/** A table of rows; cells are texts or nodes. A row may be too long for a phone: it scrolls. */
export function table(heads, rows, wLabel) {
  const line = (cells, tag) =>
    make(
      'tr',
      {},
      cells.map((cell) => make(tag, cell?.w ? cell : {}, cell?.w ? '' : cell)),
    );
  return make(
    'div.scroll',
    { tabIndex: 0, role: 'group', wLabel },
    make(
      'table',
      {},
      make('thead', {}, line(heads, 'th')),
      make(
        'tbody',
        {},
        rows.map((cells) => line(cells, 'td')),
      ),
    ),
  );
}

/** Facts in two columns. */
export const facts = (pairs) =>
  make(
    'dl',
    {},
    pairs
      .filter(([, value]) => value !== undefined && value !== '')
      .flatMap(([w, value]) => [make('dt', { w }), make('dd', {}, value)]),
  );

/** Runs an action; what it fails by is shown at the foot of the page. Gives whether it went well. */
export async function attempt(action) {
  try {
    await action();
    return true;
  } catch (error) {
    if (error?.name !== 'AbortError') notify('bad', failure(error));
    return false;
  }
}

/** A failure in full: its code, what it says, and what Python printed. */
export function failure(error) {
  const { problem } = error;
  if (!problem)
    return make(
      'div.failure',
      {},
      make('strong', { w: error.w ?? 'fault' }),
      make('p', {}, error.w ? '' : error.message),
    );
  const { code = '', error_code: number, detail = '', details = {} } = problem;
  const printed = [details.traceback, details.output]
    .flat()
    .filter((text) => typeof text === 'string' && text !== '');
  return make(
    'div.failure',
    {},
    make('strong', { w: `failure_${code}`, wElse: code.replaceAll('_', ' ') }),
    ...(number ? [make('small', {}, ` ${number}`)] : []),
    make('p.remedy', { w: `failureDo_${code}`, wElse: '' }),
    english(detail),
    printed.map((text) => make('pre', { tabIndex: 0, role: 'group', wLabel: 'traceback' }, text)),
  );
}

/** Hands the first file that is dropped on an element to `take`; the element is lit while a file is over it. */
export function takeDrops(element, take) {
  const light = (isOver) => element.classList.toggle('over', isOver);
  element.addEventListener('dragover', () => light(true));
  element.addEventListener('dragleave', () => light(false));
  element.addEventListener('drop', ({ dataTransfer }) => {
    light(false);
    const [file] = dataTransfer.files;
    if (file) void take(file);
  });
}

const GOOD_FOR_MS = 10_000;

/** What is below a dialog cannot be seen or closed: notices lie in the one on top. */
export function raiseNotices() {
  const top = [...document.querySelectorAll('dialog[open]')].at(-1) ?? document.body;
  const place = byId('notice');
  if (place.parentElement !== top) top.append(place);
}

/**
 * Tells what became of something. A failure stays until it is closed, or the next notice replaces it; what went well goes by itself, as it
 * would pass for the outcome of something later.
 */
export function notify(kind, content) {
  const place = byId('notice');
  const close = make('button.plain', { wLabel: 'close', on: { click: () => place.replaceChildren() } }, '×');
  const notice = make('div.notice', { data: { kind } }, content, close);
  raiseNotices();
  place.replaceChildren(notice);
  if (kind === 'good') setTimeout(() => notice.remove(), GOOD_FOR_MS);
}

/** The same in words of the page. */
export const tell = (w) => notify('good', make('p', { w }));
