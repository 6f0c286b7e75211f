/**
 * A list of which only the rows that are seen are in the page: with ten thousand it has as few elements as with twenty. Rows are of
 * one height, `--row` of the style sheet.
 */
import { make } from './dom.mjs';

const MORE = 6;

/**
 * @param o - `render(item)`: the element of an item, whose listeners know it by its key; `keyOf(item)`: what it is known by; `stampOf(item)`: what must differ for it to be
 *   made again; `none`: words where there is no item; `label`: words for the list
 */
export function windowed({ render, keyOf, stampOf = () => '', none, label }) {
  const list = make('div.rows', { role: 'list' });
  const empty = make('p.none', { w: none });
  const element = make('div.window', { tabIndex: 0, role: 'group', wLabel: label }, empty, list);
  const shown = new Map();
  let items = [];
  let height = 0;
  let frame = 0;

  const draw = () => {
    frame = 0;
    if (!element.isConnected || element.clientHeight === 0) return;
    height = Number.parseFloat(getComputedStyle(element).getPropertyValue('--row')) || 56;
    list.style.height = `${items.length * height}px`;
    empty.hidden = items.length > 0;
    const first = Math.max(0, Math.floor(element.scrollTop / height) - MORE);
    const last = Math.min(
      items.length,
      Math.ceil((element.scrollTop + element.clientHeight) / height) + MORE,
    );
    const old = new Map(shown);
    shown.clear();
    let before = null;
    for (let index = first; index < last; index++) {
      const item = items[index];
      const [key, stamp] = [keyOf(item), stampOf(item)];
      let row = old.get(key);
      old.delete(key);
      if (row?.stamp !== stamp) row = { stamp, node: remade(row?.node, item) };
      shown.set(key, row);
      const { node } = row;
      node.style.transform = `translateY(${index * height}px)`;
      node.setAttribute('aria-posinset', String(index + 1));
      node.setAttribute('aria-setsize', String(items.length));
      // In the order in which they are seen, so that Tab goes down; a row that stands right is not moved, it may have the focus.
      const after = before ? before.nextSibling : list.firstChild;
      if (after !== node) list.insertBefore(node, after);
      before = node;
    }
    for (const { node } of old.values()) node.remove();
  };

  /** A row that is made anew keeps its element and what acts in it: a dialog that it opened gives the focus back to that. */
  const remade = (old, item) => {
    const content = render(item);
    if (!old) return make('div.row', { role: 'listitem' }, content);
    old.firstElementChild.replaceChildren(...content.childNodes);
    return old;
  };

  const schedule = () => {
    frame ||= requestAnimationFrame(draw);
  };
  element.addEventListener('scroll', schedule, { passive: true });
  new ResizeObserver(schedule).observe(element);

  return {
    element,
    /** New items; `added`: how many of them came before the others, so that what is read does not move. */
    show(next, added = 0) {
      if (added > 0 && element.scrollTop > height) element.scrollTop += added * height;
      items = next;
      element.style.setProperty('--count', String(items.length));
      schedule();
    },
    /** All rows anew, in another language. */
    renew() {
      for (const row of shown.values()) row.stamp = undefined;
      schedule();
    },
  };
}
