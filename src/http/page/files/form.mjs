/** A form of the JSON Schema of a step's parameters. A field that is left empty is left out: the version has its default. */
import { field, make } from './dom.mjs';

const REGION = '\\s*\\d+(\\.\\d+)?\\s*(,\\s*\\d+(\\.\\d+)?\\s*){3}';

/**
 * @param schema - as `GET …/parameters` has it: `properties` are numbers, booleans, texts, choices or regions
 * @param values - to begin with
 * @returns `element`; `values()`; `check()`, which shows the first field that is wrong
 */
export function parametersForm(schema, values = {}) {
  const { properties, required = [] } = schema;
  if (!properties) return freeForm(values);
  const fields = Object.entries(properties).map(([key, one]) => ({
    key,
    ...fieldOf(key, one, values[key], required.includes(key)),
  }));
  const element = make(
    'form',
    { on: { submit: (event) => event.preventDefault() } },
    fields.map(({ input, key }) => field(key, input, properties[key].description)),
  );
  return {
    element,
    check: () => element.reportValidity(),
    values: () =>
      Object.fromEntries(
        fields.map(({ key, read }) => [key, read()]).filter(([, value]) => value !== undefined),
      ),
  };
}

function fieldOf(name, schema, value, required) {
  const { type, minimum, maximum, minLength, maxLength, pattern, default: standard, oneOf } = schema;
  const shown = (one) => (typeof one === 'object' && one !== null ? regionText(one) : String(one ?? ''));
  const common = { name, required, placeholder: shown(standard), value: shown(value) };
  const unless = (empty, read) => () => (input.value.trim() === empty ? undefined : read(input.value));
  let input;
  if (schema.enum || type === 'boolean') {
    const options = schema.enum ?? [true, false];
    const at = options.findIndex((one) => one === value);
    const none = standard === undefined ? { w: 'unset' } : { w: ['byDefault', { value: shown(standard) }] };
    input = make(
      'select',
      { name, required },
      make('option', { value: '', ...none }),
      options.map((one, index) =>
        make('option', { value: String(index), selected: index === at }, String(one)),
      ),
    );
    return { input, read: unless('', (text) => options[Number(text)]) };
  }
  if (type === 'integer' || type === 'number') {
    const bounds = { min: minimum ?? '', max: maximum ?? '', step: type === 'integer' ? '1' : 'any' };
    input = make('input', { type: 'number', ...bounds, ...common });
    return { input, read: unless('', Number) };
  }
  if (oneOf) {
    input = make('input', { type: 'text', pattern: REGION, ...common });
    if (!input.placeholder) input.placeholder = 'x, y, width, height';
    return { input, read: unless('', (text) => text.replaceAll(/\s/g, '')) };
  }
  if (type === 'string') {
    input = make('input', {
      type: 'text',
      ...(minLength > 0 && { minLength }),
      ...(maxLength !== undefined && { maxLength }),
      ...common,
    });
    // A pattern of a schema may match anywhere in the text, that of a field matches all of it.
    if (pattern !== undefined) {
      const check = () =>
        input.setCustomValidity(input.value === '' || matches(pattern, input.value) ? '' : pattern);
      input.addEventListener('input', check);
    }
    return { input, read: unless('', String) };
  }
  input = make('input', { type: 'text', ...common, value: value === undefined ? '' : JSON.stringify(value) });
  return jsonOf(input);
}

function matches(pattern, text) {
  try {
    return new RegExp(pattern, 'u').test(text);
  } catch {
    return true; // the station says what it thinks of the value
  }
}

const regionText = ({ x, y, width, height, ...others }) =>
  [x, y, width, height].every((side) => typeof side === 'number')
    ? `${x},${y},${width},${height}`
    : JSON.stringify(others);

function jsonOf(input) {
  input.addEventListener('input', () => {
    try {
      if (input.value.trim() !== '') JSON.parse(input.value);
      input.setCustomValidity('');
    } catch (error) {
      input.setCustomValidity(error.message);
    }
  });
  return { input, read: () => (input.value.trim() === '' ? undefined : JSON.parse(input.value)) };
}

/** For a step that declares no parameters, and takes any. */
function freeForm(values) {
  const text = Object.keys(values).length === 0 ? '' : JSON.stringify(values, null, 2);
  const { input, read } = jsonOf(
    make('textarea', { name: 'json', rows: 3, placeholder: '{ "key": 1 }', value: text, spellcheck: false }),
  );
  const element = make(
    'form',
    { on: { submit: (event) => event.preventDefault() } },
    field({ w: 'json' }, input, { w: 'anyParameters' }),
  );
  return { element, check: () => element.reportValidity(), values: () => read() ?? {} };
}
