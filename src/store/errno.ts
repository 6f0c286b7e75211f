/** The `code` of a system error. */
export function errnoCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

/** Whether an error says that something is not there. */
export function isMissing(error: unknown): boolean {
  const code = errnoCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** What the system says while it has no descriptor or no memory left: it tells nothing of a file, and passes. */
const EXHAUSTED: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']);

/** For a failed look at something that may be missing or damaged: gives `none`, but where the look could not be made at all. */
export function orNone<T>(none: T): (error: unknown) => T {
  return (error) => {
    if (EXHAUSTED.has(errnoCode(error) ?? '')) throw error;
    return none;
  };
}

/** What the system says where nothing can be written: the disk is read-only or full, or the user may not. */
const UNWRITABLE: ReadonlySet<string> = new Set(['EROFS', 'EACCES', 'EPERM', 'ENOSPC', 'EDQUOT']);

/** Whether an error, or what caused it, says that nothing can be written there. */
export function isUnwritable(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (UNWRITABLE.has(errnoCode(at) ?? '')) return true;
  }
  return false;
}

/** The code of the system behind an error, however deep; undefined where there is none. Node's own codes (`ERR_…`) are none. */
export function systemCause(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = errnoCode(at);
    if (code !== undefined && /^E[A-Z0-9]+$/.test(code)) return code;
  }
  return undefined;
}

/** Each is another use's end at the very moment; a disk that fails fails them all. */
const VANISHING_ATTEMPTS = 20;

/**
 * Makes a file in a folder that others remove when it is empty: between its making and the file's (ENOENT), or while
 * `mkdir` with `recursive` looks at it (ENOTDIR).
 */
export async function inVanishingFolder<T>(write: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write();
    } catch (error) {
      if (!isMissing(error) || attempt === VANISHING_ATTEMPTS) throw error;
    }
  }
}
