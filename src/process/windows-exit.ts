/** What an exit code of Windows means: most are the NTSTATUS of the exception that nobody handled (ntstatus.h). */
export interface WindowsExit {
  /** Name of the status, in words. */
  name: string;
  /** What most often leads there, and what to do. */
  remedy: string;
}

const EXITS: Readonly<Record<number, readonly [name: string, remedy: string]>> = {
  0x40010004: ['ended by the system', 'the user was logged off, or Windows was shut down'],
  0xc0000005: [
    'access violation',
    'a native library used memory that it does not have: look at the last picture and at the versions of the native packages',
  ],
  0xc0000017: ['no memory', 'give the machine more memory or a larger page file, or run fewer workers'],
  0xc000001d: [
    'illegal instruction',
    'a native library uses an instruction, such as one of AVX, that the processor or the virtual machine does not have: ' +
      'install a build without it',
  ],
  0xc000007b: [
    'a DLL of another architecture',
    'a DLL on the way is damaged, or 32 bits wide in a process of 64: install the 64-bit Visual C++ Redistributable again',
  ],
  0xc0000094: ['division by zero', 'a native library divided by zero: look at the last picture'],
  0xc00000fd: [
    'stack overflow',
    'a recursion without end, or arrays of native code on the stack: a thread made with threading.stack_size() may have more',
  ],
  0xc000012d: ['out of memory', 'enlarge the page file, run fewer workers, or raise policy.resources'],
  0xc0000135: [
    'a missing DLL',
    'install the Visual C++ Redistributable 2015-2022 and what the package names, or add the DLL to the package; doctor ' +
      'names the DLLs that its wheels ask for and that are not there',
  ],
  0xc0000139: ['a DLL without a function', 'a DLL on PATH is older than that of the build of the package'],
  0xc000013a: [
    'Ctrl+C',
    'somebody closed the console, or the service host passed its end on: run the host without a console',
  ],
  0xc0000142: [
    'a DLL that could not start',
    'the desktop heap of the service session is used up, or the session is ending: run fewer workers, or raise SharedSection',
  ],
  0xc0000374: [
    'a damaged heap',
    'a native library wrote beyond its memory: look at the versions of the native packages',
  ],
  0xc0000409: [
    'fail fast',
    'a native library gave up: abort(), a damaged stack or a failed check, of which its last words tell',
  ],
  0xe06d7363: ['a C++ exception', 'a native library threw an exception that nobody caught'],
};

/** What an exit code of Windows means; undefined for a code of the program's own. Codes this large exist on Windows alone. */
export function windowsExit(exitCode: number | null): WindowsExit | undefined {
  const known = exitCode === null ? undefined : EXITS[exitCode >>> 0];
  return known && { name: known[0], remedy: known[1] };
}

/** An exit code as an error tells it: `3221225477 (0xC0000005, access violation)`. */
export function exitCodeInWords(exitCode: number | null): string {
  const known = windowsExit(exitCode);
  return known ? `${exitCode} (${exitCodeInHex(exitCode ?? 0)}, ${known.name})` : String(exitCode);
}

/** As the documentation of Windows writes it: `0xC0000005`. */
export function exitCodeInHex(exitCode: number): string {
  return `0x${(exitCode >>> 0).toString(16).toUpperCase()}`;
}
