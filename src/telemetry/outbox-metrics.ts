import { Counter, Gauge, type MetricFamily } from './exposition.js';

/** Records of an outbox of one kind, and the bytes of their pictures. */
export interface MeasuredRecords {
  records: number;
  bytes: number;
}

/** The part of a delivery that is measured: a room above this one has the whole. */
export interface MeasuredDelivery {
  /** How the outbox and its delivery stand now. */
  report(): Promise<{
    outbox: {
      due: Readonly<Record<string, MeasuredRecords>>;
      shed: Readonly<Record<string, MeasuredRecords>>;
      shedBy: Readonly<Record<string, MeasuredRecords>>;
      oldestDueAt: number | undefined;
      aside: number;
      delivered: number;
      failures: number;
      kept: MeasuredRecords;
      diskError: string | undefined;
    };
    delivery: { state: string; network: string; isDegraded: boolean };
  }>;
}

const MOST = 16;

/** Depth, failures and losses of the outbox; empty where there is none, or where it cannot be read now. */
export async function outboxMetrics(delivery: MeasuredDelivery | undefined): Promise<MetricFamily[]> {
  const report = await delivery?.report().catch(() => undefined);
  if (!report) return [];
  const { outbox, delivery: line } = report;
  const gauge = (name: string, help: string, unit?: string) =>
    new Gauge(`procvision_outbox_${name}`, help, MOST, unit);
  const counter = (name: string, help: string) => new Counter(`procvision_outbox_${name}`, help, MOST);
  const due = gauge('due', 'Records and pictures that wait for the platform, by priority');
  const dueBytes = gauge('due_bytes', 'Bytes of what waits for the platform, by priority', 'bytes');
  const shed = counter('shed', 'Records and pictures that were given up, by priority');
  for (const [priority, { records, bytes }] of Object.entries(outbox.due)) {
    due.set({ priority }, records);
    dueBytes.set({ priority }, bytes);
  }
  for (const [priority, { records }] of Object.entries(outbox.shed)) shed.add({ priority }, records);
  const shedBy = counter('shed_by_reason', 'Records and pictures that were given up, by reason');
  for (const [reason, { records }] of Object.entries(outbox.shedBy)) shedBy.add({ reason }, records);
  const oldest = gauge('oldest_seconds', 'Age of the oldest record that waits', 'seconds');
  if (outbox.oldestDueAt !== undefined) oldest.set({}, Math.max(0, Date.now() - outbox.oldestDueAt) / 1_000);
  const kept = gauge('kept_bytes', 'Bytes of the outbox on the disk', 'bytes');
  kept.set({}, outbox.kept.bytes);
  const aside = gauge('aside', 'Records and pictures that the platform refused for good');
  aside.set({}, outbox.aside);
  const delivered = counter('delivered', 'Records and pictures that the platform took');
  delivered.add({}, outbox.delivered);
  const failures = counter('failures', 'Attempts to deliver that failed');
  failures.add({}, outbox.failures);
  const states = {
    up: ['1 where the platform answered last', line.network === 'up'],
    paused: ['1 where a person has paused delivery', line.state === 'paused'],
    degraded: ['1 where so much waits that whole pictures wait', line.isDegraded],
    disk_full: ['1 where the disk takes no record', outbox.diskError !== undefined],
  } as const;
  const flags = Object.entries(states).map(([name, [help, is]]) => {
    const family = gauge(name, help);
    family.set({}, is ? 1 : 0);
    return family;
  });
  return [due, dueBytes, shed, shedBy, oldest, kept, aside, delivered, failures, ...flags];
}
