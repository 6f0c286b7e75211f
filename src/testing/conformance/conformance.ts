import {
  abortSignal,
  choice,
  Door,
  flag,
  group,
  lazily,
  option,
  text,
  values,
  whole,
} from '../../options.js';
import type { ImageInput } from '../../frames/types.js';
import type { VersionRef } from '../../package/types.js';
import { policyOptions } from '../../supervisor/policy-options.js';
import { runAlgorithmRows } from './algorithm-rows.js';
import { runAssetRows } from './asset-rows.js';
import { runHostRows } from './host-rows.js';
import { Ledger } from './ledger.js';
import { Probe } from './probe.js';
import { openSubject, type Subject } from './subject.js';
import { boundaryCases } from '../../validation/boundary-cases.js';
import type { ConformanceCall, ConformanceOptions, ConformanceReport, ConformanceStore } from './types.js';
import { runWireRows } from './wire-rows.js';

const picture = () =>
  option<ImageInput | undefined>(
    'image',
    'must be an image',
    (value) => typeof value === 'object' && value !== null,
  );

const door = /* @__PURE__ */ lazily(
  () =>
    new Door<ConformanceOptions>('conformance(store, target, options)', {
      worker: choice('sdk', 'bundled'),
      rows: option<readonly number[] | undefined>(
        'rows',
        'must be a list of numbers of rows, 0 to 26',
        isRows,
      ),
      ...{ image: picture(), stepIndex: whole(0), stepDesc: text(), userParams: values() },
      outOfGpuMemory: group<ConformanceCall>({ image: picture(), userParams: values(), stepDesc: text() }),
      ...{ strict: flag(), policy: policyOptions(), signal: abortSignal() },
    }),
);

function isRows(value: unknown): boolean {
  const last = boundaryCases().length - 1;
  return Array.isArray(value) && value.every((row) => Number.isInteger(row) && row >= 0 && row <= last);
}

/**
 * Runs the boundary cases of the specification against a deployed version, with real workers: what its algorithm, its
 * worker and this host owe in each. The store is read alone: damaged assets are tried on copies, and the version need not
 * be active. Workers that run already are left alone.
 *
 * @param store - what has the registry of the store open: a `TemporaryStore`, a `Runner`
 * @param target - the version
 * @returns a row for each case, with what was seen; a failed row names the fault and its remedy
 * @throws RunnerError `not_found` when the version is not deployed, `invalid_params`, `invalid_image` for a picture that is
 * none, `aborted`
 *
 * @example
 * ```ts
 * const report = await conformance(store, { name: 'board-check', version: '1.2.0' }, { image: { file: 'board.png' } });
 * assert.deepEqual(report.rows.filter(({ result }) => result === 'fail'), []);
 * ```
 */
export async function conformance(
  store: ConformanceStore,
  target: VersionRef,
  options: ConformanceOptions = {},
): Promise<ConformanceReport> {
  door().check(options);
  const startedAt = performance.now();
  const subject = await openSubject(store.registry, target, options);
  const ledger = new Ledger(options.rows);
  await using _frames = subject.frames;
  await runRows(subject, ledger);
  const { entry, worker } = subject;
  const rows = ledger.rows;
  return {
    ...{ name: entry.name, version: entry.version, generation: entry.generation, worker, rows },
    passed: rows.every(({ result }) => result !== 'fail'),
    durationMs: performance.now() - startedAt,
  };
}

async function runRows(subject: Subject, ledger: Ledger): Promise<void> {
  await using probe = new Probe(subject, ledger);
  await ledger.run(0, async () => {
    await probe.ready();
    await runAlgorithmRows(subject, ledger, probe);
  });
  await probe.stop();
  if (ledger.hasFailed(0)) {
    for (const { number } of boundaryCases()) {
      ledger.skip(number, 'the version does not answer an ordinary call (row 0)');
    }
    return;
  }
  // Most of the host's rows is waiting for limits: the others are run in that time.
  const inBytes = runWireRows(subject, ledger).then(() => runAssetRows(subject, ledger));
  const parts = await Promise.allSettled([inBytes, runHostRows(subject, ledger)]);
  for (const part of parts) if (part.status === 'rejected') throw part.reason;
}
