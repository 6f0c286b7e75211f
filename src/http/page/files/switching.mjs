/** How a switch goes: with a trial of the new version, and with a picture that it must answer before anything is moved. */
import { field, make } from './dom.mjs';

/** A tick, with what belongs to it where it is set. */
function ticked(w, ...content) {
  const tick = make('input', { type: 'checkbox' });
  const more = make('div.indented', { hidden: true }, content);
  tick.addEventListener('change', () => (more.hidden = !tick.checked));
  return { tick, element: make('div', {}, make('label.tick', {}, tick, make('span', { w })), more) };
}

const number = (name, min, max) => make('input', { type: 'number', name, min, max, step: 1 });

/** The trial; a field that is left empty has the station's default. */
export function trialForm() {
  const share = number('trialShare', 1, 99);
  const calls = number('trialCalls', 1, 1_000_000);
  const minutes = number('trialMinutes', 1, 35_000);
  const errors = number('trialErrors', 0, 100);
  const { tick, element } = ticked(
    'onTrial',
    field({ w: 'trialShare' }, share, { w: 'trialShareHint' }),
    field({ w: 'trialCalls' }, calls),
    field({ w: 'trialMinutes' }, minutes),
    field({ w: 'trialErrors' }, errors, { w: 'trialHint' }),
  );
  return {
    element,
    value: () =>
      tick.checked
        ? {
            ...(share.value !== '' && { share: Number(share.value) / 100 }),
            probation: {
              ...(calls.value !== '' && { calls: Number(calls.value) }),
              ...(minutes.value !== '' && { durationMs: Number(minutes.value) * 60_000 }),
              ...(errors.value !== '' && { maxErrorRate: Number(errors.value) / 100 }),
            },
          }
        : {},
  };
}

/** A warm-up call with a picture, as one of every day. */
export function warmUpForm() {
  const file = make('input', { type: 'file', accept: 'image/png,image/jpeg', name: 'warmUp' });
  const calls = Object.assign(number('warmUpCalls', 1, 1_000), { value: '1' });
  const same = make('input', { type: 'checkbox' });
  const { tick, element } = ticked(
    'warmUp',
    field({ w: 'warmUpPicture' }, file, { w: 'warmUpHint' }),
    field({ w: 'warmUpCalls' }, calls),
    make('label.tick', {}, same, make('span', { w: 'warmUpSame' })),
  );
  tick.addEventListener('change', () => (file.required = tick.checked));
  return {
    element,
    value: async () => {
      const [picture] = file.files;
      if (!tick.checked || !picture) return {};
      const [encoded, { width, height }] = await Promise.all([base64Of(picture), sizeOf(picture)]);
      return {
        warmUp: {
          image: { encoded, width, height },
          calls: Number(calls.value),
          ...(same.checked && { guideImage: 'same' }),
        },
      };
    },
  };
}

function base64Of(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(',') + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

async function sizeOf(file) {
  const bitmap = await createImageBitmap(file);
  const { width, height } = bitmap;
  bitmap.close();
  return { width, height };
}
