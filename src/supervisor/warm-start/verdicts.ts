import type { RegistryEntry } from '../../registry/types.js';
import type { StoreLayout } from '../../store/layout.js';
import { readJson, writeJsonAtomic } from '../../store/atomic-file.js';
import { deploymentOf } from '../../registry/same-deployment.js';
import { isRecord } from '../../arguments.js';
import type { WorkerFlavour } from '../../worker/types.js';

/** What was found out about forking the workers of a version. */
export interface Verdict {
  /** Whether they may be forked. */
  isFit: boolean;
  /** Why not. */
  reason?: string;
  coldMs?: number;
  warmMs?: number;
}

/** Of one version as it is deployed, under one adapter: kept in the store, for the next host. */
export class VerdictFile {
  readonly #file: string;
  readonly #about: Record<string, unknown>;

  constructor(layout: StoreLayout, entry: RegistryEntry, flavour: WorkerFlavour) {
    this.#file = layout.warmStart(entry.name, entry.version);
    this.#about = { deployment_id: deploymentOf(entry), worker: flavour };
  }

  /** Undefined where none was found for this deployment, or the file cannot be read: it is found out anew then. */
  async read(): Promise<Verdict | undefined> {
    const kept = await readJson(this.#file).catch(() => undefined);
    if (!isRecord(kept) || typeof kept.fit !== 'boolean') return undefined;
    if (Object.entries(this.#about).some(([key, value]) => kept[key] !== value)) return undefined;
    const { fit, reason, cold_ms: coldMs, warm_ms: warmMs } = kept;
    return {
      isFit: fit,
      ...(typeof reason === 'string' && { reason }),
      ...(typeof coldMs === 'number' && { coldMs }),
      ...(typeof warmMs === 'number' && { warmMs }),
    };
  }

  /** A store that cannot be written to costs the next host the finding out. */
  async write({ isFit, reason, coldMs, warmMs }: Verdict): Promise<void> {
    const content = { ...this.#about, fit: isFit, reason, cold_ms: coldMs, warm_ms: warmMs };
    await writeJsonAtomic(this.#file, content, 'none').catch(() => undefined);
  }
}
