import path from 'node:path';
import type { Registry } from '../../registry/registry.js';
import { makeFolder, renameOver, syncFolder, type Durability } from '../../store/atomic-file.js';
import type { StoreLayout } from '../../store/layout.js';
import { errnoCode, inVanishingFolder } from '../../store/errno.js';
import { removeIfEmpty, removeTree } from '../../store/remove-tree.js';
import type { Life } from '../../process/life.js';
import {
  newRecord,
  showTransactionLife,
  transactionFolderName,
  writeJournal,
  type JournalRecord,
} from './journal.js';
import { readMarker } from '../seal/seal.js';
import { moveByCopy, partOf } from './move-by-copy.js';
import { exists } from '../seal/tree.js';

/**
 * One change of the store, from its first byte on disk to its last.
 *
 * Everything of it lies in a folder of its own below `.staging/`, with a journal. The registry is the commit point;
 * {@link settle} brings the disk into line with whatever the registry says, and is the same after a success, after a
 * failure and after a crash, so that there is no path through it that only a crash takes.
 */
export class Transaction {
  readonly record: JournalRecord;
  readonly folder: string;
  readonly #registry: Registry;
  readonly #durability: Durability;
  readonly #life: Life | undefined;

  constructor(
    registry: Registry,
    folder: string,
    record: JournalRecord,
    durability: Durability,
    life?: Life,
  ) {
    this.#life = life;
    this.#registry = registry;
    this.folder = folder;
    this.record = record;
    this.#durability = durability;
  }

  /** Makes the folder and writes the journal. */
  static async begin(
    registry: Registry,
    about: Omit<JournalRecord, 'format' | 'id' | 'holder' | 'started_at'>,
    durability: Durability,
  ): Promise<Transaction> {
    const { staging } = registry.layout;
    const folder = path.join(staging, await transactionFolderName());
    // Another operation that ends removes an empty .staging/ between the two steps of one recursive mkdir.
    await inVanishingFolder(() => makeFolder(folder, durability));
    const life = await showTransactionLife(folder);
    const transaction = new Transaction(registry, folder, await newRecord(about, life), durability, life);
    try {
      await writeJournal(folder, transaction.record, durability);
    } catch (error) {
      await transaction.discard();
      throw error;
    }
    return transaction;
  }

  /** Says more about the operation than was known when it began. */
  async amend(more: Partial<JournalRecord>): Promise<void> {
    Object.assign(this.record, more);
    await writeJournal(this.folder, this.record, this.#durability);
  }

  /** What is being built. */
  get tree(): string {
    return path.join(this.folder, 'tree');
  }

  /** The upload while it is being received. */
  get upload(): string {
    return path.join(this.folder, 'upload.zip');
  }

  /** Puts the built tree where its version belongs; an earlier one steps aside, and stays until the commit. */
  async publish(): Promise<void> {
    const deployed = this.#deployed();
    if (await exists(deployed)) await this.#move(deployed, this.#aside('old'));
    await inVanishingFolder(async () => {
      await makeFolder(path.dirname(deployed), this.#durability, 0o755);
      await this.#move(this.tree, deployed);
    });
  }

  /** An install that was not committed: what was published goes, what had stepped aside comes back. */
  async withdraw(): Promise<void> {
    const { name, version, id } = this.record;
    if (name === undefined || version === undefined) return;
    const deployed = this.#deployed();
    const marker = await readMarker(deployed);
    if (marker?.deployment_id === id) await this.#move(deployed, this.#aside('new'));
    const isBack = (await readMarker(deployed)) !== undefined;
    if (!isBack && (await readMarker(this.#aside('old')))) {
      await removeTree(deployed); // of a move by copy that was cut off
      await inVanishingFolder(async () => {
        await makeFolder(path.dirname(deployed), this.#durability, 0o755);
        await this.#move(this.#aside('old'), deployed);
      });
    }
  }

  /**
   * Finishes the operation if the registry has it, else undoes it; then the folder goes. May be called again after it
   * failed half way.
   *
   * @returns what came of it
   */
  async settle(): Promise<'completed' | 'undone'> {
    const isCommitted = (await this.outcome()) === 'completed';
    if (this.record.operation === 'install') {
      if (isCommitted) await this.#landUpload();
      else await this.withdraw();
    } else if (this.record.operation === 'uninstall' && isCommitted) {
      await this.#takeAway();
    }
    await this.discard();
    return isCommitted ? 'completed' : 'undone';
  }

  /** What {@link Transaction.settle} would make of it: nothing is changed. */
  async outcome(): Promise<'completed' | 'undone'> {
    return (await this.#isCommitted()) ? 'completed' : 'undone';
  }

  /** This process does not work on it any more: what is left of it is for a recovery. */
  async giveUp(): Promise<void> {
    await this.#life?.close();
  }

  /** Removes the folder, journal last, and what is empty without it. */
  async discard(): Promise<void> {
    try {
      await this.#removeParts();
      for (const name of ['upload.zip', 'tree', 'new', 'old']) await removeTree(path.join(this.folder, name));
    } finally {
      // A recovery of what could not be removed must not see this process as busy with it.
      await this.#life?.close();
    }
    await removeTree(this.folder);
    await removeIfEmpty(this.#layout.staging);
  }

  get #layout(): StoreLayout {
    return this.#registry.layout;
  }

  async #isCommitted(): Promise<boolean> {
    const { operation, name, version, id } = this.record;
    if (operation === 'receive' || name === undefined || version === undefined) return false;
    const entry = await this.#registry.get(name, version);
    return operation === 'install' ? entry?.deployment_id === id : entry === undefined;
  }

  /** An uninstall that was committed: the folder leaves `deployed/` in one step. */
  async #takeAway(): Promise<void> {
    const [deployed, old, archive] = [this.#deployed(), this.#aside('old'), this.#archive()];
    // Aside it is complete: what is still in its place is left of a move by copy.
    if (await exists(old)) await removeTree(deployed);
    else if (await exists(deployed)) await this.#move(deployed, old);
    if (!this.record.archive || !(await exists(old))) return;
    if ((await readMarker(archive)) && !(await readMarker(old))) return; // the same, and archived already
    await removeTree(path.join(old, 'venv'));
    await removeTree(archive);
    await makeFolder(path.dirname(archive), this.#durability);
    await this.#move(old, archive);
  }

  async #landUpload(): Promise<void> {
    if (this.record.upload === undefined || !(await exists(this.upload))) return;
    await makeFolder(this.#layout.zips, this.#durability);
    await this.#move(this.upload, path.join(this.#layout.zips, this.record.upload));
  }

  async #move(from: string, to: string): Promise<void> {
    try {
      await renameOver(from, to); // tries again where a virus scanner has a file of it open (Windows)
    } catch (error) {
      if (errnoCode(error) !== 'EXDEV') throw error;
      await moveByCopy(from, to, this.#durability);
    }
    await syncFolder(path.dirname(to), this.#durability);
    await syncFolder(path.dirname(from), this.#durability);
  }

  /** Copies that were on their way. */
  async #removeParts(): Promise<void> {
    const { name, version, upload } = this.record;
    const targets = name === undefined || version === undefined ? [] : [this.#deployed(), this.#archive()];
    if (upload !== undefined) targets.push(path.join(this.#layout.zips, upload));
    for (const target of targets) await removeTree(partOf(target));
  }

  #archive(): string {
    return archiveFolder(this.#layout, this.record.name ?? '', this.record.version ?? '');
  }

  #aside(name: 'old' | 'new'): string {
    return path.join(this.folder, name);
  }

  #deployed(): string {
    return this.#layout.deployed(this.record.name ?? '', this.record.version ?? '');
  }
}

/** Where `prune` archives a version. */
export function archiveFolder(layout: StoreLayout, name: string, version: string): string {
  const relative = path.relative(layout.deployedRoot, layout.deployed(name, version));
  return path.join(layout.algorithms, '.archive', relative);
}
