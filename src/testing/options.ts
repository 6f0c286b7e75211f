import {
  callback,
  choice,
  Door,
  flag,
  group,
  lazily,
  must,
  option,
  text,
  strings,
  type Option,
  type Shape,
} from '../options.js';
import type { CallPhase } from '../worker/types.js';
import type { FakeResponse, FakeWorkerOptions } from './fake-worker/options.js';

const PHASES = [
  'pre',
  'execute',
  'info',
  'setup',
  'teardown',
  'reset',
  'on_step_start',
  'on_step_finish',
] as const satisfies readonly CallPhase[];

function responses(): Shape<Partial<Record<CallPhase, FakeResponse>>> {
  return Object.fromEntries(PHASES.map((phase) => [phase, response()])) as unknown as Shape<
    Partial<Record<CallPhase, FakeResponse>>
  >;
}

const response = (): Option<FakeResponse | undefined> =>
  option('response', 'must be an answer or a function of the call', isResponse);

/** What each call of the kit takes: a test that is written wrongly is to fail in words. */
export const doors = /* @__PURE__ */ lazily(() => ({
  fakeWorker: new Door<FakeWorkerOptions>('new FakeWorker(options)', {
    generation: choice('phased', 'execute-only'),
    sdkVersion: text(),
    capabilities: strings(),
    start: callback(),
    answers: group<NonNullable<FakeWorkerOptions['answers']>>(responses()),
    hidesPictures: flag(),
    answersPingsInCalls: flag(),
  }),
  answer: new Door<{ phase: CallPhase; response: FakeResponse }>('fake.answer(phase, response)', {
    phase: must(choice(...PHASES)),
    response: must(response()),
  }),
}));

function isResponse(value: unknown): boolean {
  return (
    typeof value === 'function' || (typeof value === 'object' && value !== null && !Array.isArray(value))
  );
}
