import path from 'node:path';
import * as v from 'valibot';
import { settleOrAbort } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { checkDoctorOptions } from '../../runner/diagnosis.js';
import type { Finding } from '../../runner/doctor/finding.js';
import { audited } from '../../store/audit-log.js';
import { askedBy } from '../actions.js';
import { fields, readOptionalJson, text } from '../body.js';
import { QUERIES, readQuery } from '../query.js';
import type { Call } from '../types.js';
import { asJson } from './as-json.js';
import type { Asked } from './examinations.js';

const NOT_KEPT = { headers: { 'cache-control': 'no-store' } };

/** Body of a fix: all that can be put right, those of one kind, or one of them. */
export const FIX_BODY = fields({
  id: v.optional(text),
  what: v.optional(v.pipe(v.string('must be a text'), v.minLength(1, 'must not be empty'))),
});

/** GET /doctor: every finding of the station, or of one version; errors are first. Nothing is changed. */
export async function doctor(call: Call): Promise<Response> {
  const { registry, examinations } = call.options;
  const asked = readQuery(call.url, QUERIES.doctor);
  check(asked);
  // A client that goes away does not end a look that others wait for.
  const findings = await settleOrAbort(call.request.signal, examinations.ask(call.options, asked));
  return Response.json(asJson(findings, registry.layout.root), NOT_KEPT);
}

/**
 * POST /doctor/fix: puts right what is found and has a fix. A client that goes away does not end it.
 * @throws RunnerError `not_found` where `id` names nothing that can be put right
 */
export async function fix(call: Call): Promise<Response> {
  const { registry, examinations } = call.options;
  const { root, logs } = registry.layout;
  const { operator: named, ...asked } = readQuery(call.url, QUERIES.fix);
  check(asked);
  const { id, what } = await readOptionalJson(call, FIX_BODY);
  const { operator = named } = askedBy(call);
  const log = path.join(logs, 'package_install.log');
  let count = 0;
  const report = examinations.fix(call.options, asked, {
    isMeant: (finding) => {
      const isMeant =
        (id === undefined || finding.id === id) && (what === undefined || toldOf(finding, root) === what);
      if (isMeant) count++;
      return isMeant;
    },
    apply: (finding) => {
      const { name, version } = finding;
      return audited(
        log,
        { operation: 'fix', finding: finding.id, what: finding.what, name, version, operator },
        async () => finding.fix?.apply(),
      );
    },
  });
  const { fixed, failed, findings } = await settleOrAbort(call.request.signal, report);
  if (count === 0 && id !== undefined) {
    throw new RunnerError(
      'not_found',
      `There is nothing to put right that is ${id}: GET /doctor has what is found, and fix where it can be put right`,
      { details: { path: id } },
    );
  }
  const told = failed.map(({ finding, error }) => ({ ...finding, error: asError(error) }));
  return Response.json(asJson({ fixed, failed: told, findings }, root), NOT_KEPT);
}

/** What a finding says, as GET /doctor tells it: without the path of the store. */
function toldOf({ what }: Finding, root: string): string {
  return (asJson({ what }, root) as { what: string }).what;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function check({ name, version }: Asked): void {
  checkDoctorOptions({ ...(name !== undefined && { name }), ...(version !== undefined && { version }) });
}
