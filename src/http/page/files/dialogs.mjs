/** Dialogs of the browser's own kind: it keeps the focus in them, gives it back, and closes them at Escape. */
import { button, make, raiseNotices } from './dom.mjs';

/** Opens a dialog; gives it and a function that closes it. `onClose` is called whichever way it goes. */
export function open(title, content, { className = '', onClose } = {}) {
  const heading = make('h2', { id: `d${++count}`, ...title });
  const close = () => dialog.close();
  const dialog = make(
    `dialog${className && `.${className}`}`,
    { 'aria-labelledby': heading.id },
    make('div.bar', {}, heading, make('button.plain', { wLabel: 'close', on: { click: close } }, '×')),
    content,
  );
  dialog.addEventListener('close', () => {
    raiseNotices();
    dialog.remove();
    onClose?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  raiseNotices();
  return { dialog, close };
}
let count = 0;

/**
 * Asks before something is done.
 *
 * @param o - `title`, `text`, `confirm`: words; `content`: more to show or to fill in; `danger`: it removes something
 * @returns whether it is to be done
 */
export function ask({ title, text, content = [], confirm = { w: 'yes' }, danger = false }) {
  return new Promise((resolve) => {
    let isAgreed = false;
    const agree = () => {
      if (!form.reportValidity()) return;
      isAgreed = true;
      close();
    };
    const form = make(
      'form',
      {
        on: {
          submit: (event) => {
            event.preventDefault();
            agree();
          },
        },
      },
      ...(text ? [make('p', text)] : []),
      content,
      make(
        'div.actions',
        {},
        make('button', { w: 'cancel', on: { click: () => close() } }),
        make(danger ? 'button.danger' : 'button.primary', { ...confirm, type: 'submit' }),
      ),
    );
    const { close } = open(title, form, { className: 'ask', onClose: () => resolve(isAgreed) });
    form.querySelector('input, select, textarea, .actions button')?.focus();
  });
}

/** A button that asks before it acts. `question` may be a function that makes one, and may look first. */
export const asking = (w, question, action, o = {}) =>
  button(
    w,
    async () => {
      const asked = typeof question === 'function' ? await question() : question;
      if (asked && (await ask({ danger: o.className === 'danger', confirm: { w }, ...asked })))
        await action();
    },
    o,
  );
