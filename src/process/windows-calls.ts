import { boundOnWindows, type Koffi } from './koffi.js';

/** What Windows tells of processes, and of who holds a file. Asked through the optional package `koffi`. */
export interface WindowsCalls {
  /** When the process that has this id was started, in 100 ns since 1601; undefined where there is none, or it is not told. */
  process(pid: number): { startTime: string; hasEnded: boolean } | undefined;
  /** What a process and all that is in the job named after it (job_object.py) take together. */
  usage(pid: number): { rssBytes: number; cpuMs: number } | undefined;
  /** The programs that have a file open, by their name and process id: empty where the system names none. */
  holders(file: string): Promise<string[]>;
}

/** A worker names its job so, with its process id behind (job_object.py). */
const JOB_NAME = 'procvision-worker-';
/** Processes of a job that are counted. */
const MOST_MEMBERS = 512;
/** winnt.h, winbase.h */
const QUERY_LIMITED = 0x1000;
const JOB_QUERY = 0x4;
const STILL_ACTIVE = 259;
/** JOBOBJECTINFOCLASS: JobObjectBasicAccountingInformation, JobObjectBasicProcessIdList. */
const ACCOUNTING = 1;
const MEMBERS = 3;
/** 100 ns in a millisecond: the unit of all times here. */
const PER_MS = 10_000n;

let known: { calls: WindowsCalls | undefined } | undefined;

/** The calls; undefined on other systems, and where koffi is not installed. */
export function windowsCalls(): WindowsCalls | undefined {
  known ??= { calls: loadWindowsCalls() };
  return known.calls;
}

/** The same, looked for anew. */
export function loadWindowsCalls(
  platform: NodeJS.Platform = process.platform,
  load?: () => unknown,
): WindowsCalls | undefined {
  return boundOnWindows(bind, platform, load);
}

function bind(koffi: Koffi): WindowsCalls {
  const kernel = koffi.load('kernel32.dll');
  const openProcess = kernel.func('intptr_t OpenProcess(uint32_t, int, uint32_t)');
  const exitCode = kernel.func('int GetExitCodeProcess(intptr_t, void *)');
  const processTimes = kernel.func('int GetProcessTimes(intptr_t, void *, void *, void *, void *)');
  const memoryInfo = kernel.func('int K32GetProcessMemoryInfo(intptr_t, void *, uint32_t)');
  const openJob = kernel.func('intptr_t OpenJobObjectW(uint32_t, int, const char16_t *)');
  const queryJob = kernel.func('int QueryInformationJobObject(intptr_t, int, void *, uint32_t, void *)');
  const closeHandle = kernel.func('int CloseHandle(intptr_t)');

  function within<T>(handle: unknown, work: (handle: unknown) => T): T | undefined {
    if (Number(handle) === 0) return undefined;
    try {
      return work(handle);
    } finally {
      closeHandle(handle);
    }
  }

  const ofProcess = <T>(pid: number, work: (handle: unknown) => T) =>
    within(openProcess(QUERY_LIMITED, 0, pid), work);

  /** When it started, and its CPU time; undefined when the system does not tell. */
  function times(handle: unknown): { started: bigint; cpu: bigint } | undefined {
    const [created, ended, kernelTime, userTime] = [0, 0, 0, 0].map(() => Buffer.alloc(8));
    if (!created || !kernelTime || !userTime) return undefined;
    if (processTimes(handle, created, ended, kernelTime, userTime) === 0) return undefined;
    return {
      started: created.readBigUInt64LE(),
      cpu: kernelTime.readBigUInt64LE() + userTime.readBigUInt64LE(),
    };
  }

  function hasEnded(handle: unknown): boolean {
    const code = Buffer.alloc(4);
    return exitCode(handle, code) !== 0 && code.readUInt32LE() !== STILL_ACTIVE;
  }

  /** PROCESS_MEMORY_COUNTERS: its size first, the working set behind two numbers and the highest one. */
  function workingSet(handle: unknown): number {
    const counters = Buffer.alloc(72);
    counters.writeUInt32LE(counters.length);
    return memoryInfo(handle, counters, counters.length) === 0 ? 0 : Number(counters.readBigUInt64LE(16));
  }

  function usageOf(pid: number): { rssBytes: number; cpu: bigint } | undefined {
    return ofProcess(pid, (handle) => {
      const told = hasEnded(handle) ? undefined : times(handle);
      return told && { rssBytes: workingSet(handle), cpu: told.cpu };
    });
  }

  /** Who is in the job, and the CPU time of all that have been in it. The handle is closed at once: it would keep the job. */
  function jobOf(pid: number): { members: number[]; cpu: bigint } | undefined {
    return within(openJob(JOB_QUERY, 0, `${JOB_NAME}${pid}`), (job) => {
      const list = Buffer.alloc(8 + 8 * MOST_MEMBERS);
      if (queryJob(job, MEMBERS, list, list.length, null) === 0) return undefined;
      const listed = Math.min(list.readUInt32LE(4), MOST_MEMBERS);
      const members = Array.from({ length: listed }, (_, n) => Number(list.readBigUInt64LE(8 + 8 * n)));
      const accounting = Buffer.alloc(48); // user time, then kernel time
      const isTold = queryJob(job, ACCOUNTING, accounting, accounting.length, null) !== 0;
      const cpu = isTold ? accounting.readBigUInt64LE(0) + accounting.readBigUInt64LE(8) : 0n;
      return { members, cpu };
    });
  }

  return {
    process: (pid) =>
      ofProcess(pid, (handle) => {
        const told = times(handle);
        return told && { startTime: String(told.started), hasEnded: hasEnded(handle) };
      }),
    usage(pid) {
      const own = usageOf(pid);
      if (!own) return undefined;
      const job = jobOf(pid);
      const others = job?.members.flatMap((member) => (member === pid ? [] : (usageOf(member) ?? []))) ?? [];
      const all = [own, ...others];
      const cpu = all.reduce((sum, one) => sum + one.cpu, 0n);
      return {
        rssBytes: all.reduce((sum, one) => sum + one.rssBytes, 0),
        // That of the job counts what has ended too.
        cpuMs: Number((job && job.cpu > cpu ? job.cpu : cpu) / PER_MS),
      };
    },
    holders: (file) => holdersOf(koffi, file),
  };
}

/** RM_PROCESS_INFO (restartmanager.h): id and start time, then the name of the application in UTF-16. */
const INFO_BYTES = 668;
const NAME_AT = 12;
const NAME_BYTES = 512;
/** Of more than there is room for the system tells none, and a library is held by each worker that has loaded it. */
const MOST_HOLDERS = 512;
const MOST_NAMED = 16;
const SESSION_KEY_BYTES = 66;

/** Asks the Restart Manager, which installers ask. On another thread: it looks at all processes. */
async function holdersOf(koffi: Koffi, file: string): Promise<string[]> {
  const library = koffi.load('rstrtmgr.dll');
  const call = (signature: string, ...args: unknown[]) =>
    new Promise<number>((resolve, reject) => {
      library.func(signature).async(...args, (error: Error | null, result: number) => {
        if (error) reject(error);
        else resolve(result);
      });
    });
  const session = Buffer.alloc(4);
  const key = Buffer.alloc(SESSION_KEY_BYTES);
  if ((await call('uint32_t RmStartSession(void *, uint32_t, void *)', session, 0, key)) !== 0) return [];
  const id = session.readUInt32LE();
  try {
    const register =
      'uint32_t RmRegisterResources(uint32_t, uint32_t, const char16_t **, uint32_t, void *, uint32_t, void *)';
    if ((await call(register, id, 1, [file], 0, null, 0, null)) !== 0) return [];
    const [needed, count, reasons] = [Buffer.alloc(4), Buffer.alloc(4), Buffer.alloc(4)];
    count.writeUInt32LE(MOST_HOLDERS);
    const infos = Buffer.alloc(INFO_BYTES * MOST_HOLDERS);
    const list = 'uint32_t RmGetList(uint32_t, void *, void *, void *, void *)';
    if ((await call(list, id, needed, count, infos, reasons)) !== 0) return [];
    return holdersIn(infos, Math.min(count.readUInt32LE(), MOST_NAMED));
  } finally {
    await call('uint32_t RmEndSession(uint32_t)', id);
  }
}

/** The programs in an answer of the Restart Manager: `Name (process 12)`. */
export function holdersIn(infos: Buffer, count: number): string[] {
  return Array.from({ length: Math.min(count, Math.floor(infos.length / INFO_BYTES)) }, (_, index) => {
    const info = infos.subarray(index * INFO_BYTES, (index + 1) * INFO_BYTES);
    const name = info.toString('utf16le', NAME_AT, NAME_AT + NAME_BYTES).replace(/\0.*$/s, '');
    return `${name || 'a program'} (process ${info.readUInt32LE(0)})`;
  });
}
