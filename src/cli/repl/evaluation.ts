import type { EventEmitter } from 'node:events';
import type { REPLServer } from 'node:repl';

type Evaluate = REPLServer['eval'];

/**
 * Calls back when the evaluation of a line has begun, and when it has its answer, with the error where it failed. Node hands what a line throws to the domain of the
 * session, which shows it, and never answers such a line.
 */
export function onAnswer(session: REPLServer, answered: (error: unknown) => void, begun?: () => void): void {
  const evaluate: Evaluate = session.eval;
  const { _domain: domain } = session as unknown as { _domain?: EventEmitter };
  const observed: Evaluate = function (this: REPLServer, code, context, file, answer) {
    const onThrown = (error: unknown) => {
      answered(error ?? new Error('thrown'));
    };
    domain?.once('error', onThrown);
    begun?.();
    evaluate.call(session, code, context, file, (error, value: unknown) => {
      domain?.off('error', onThrown);
      answer(error, value);
      answered(error);
    });
  };
  Object.assign(session, { eval: observed });
}
