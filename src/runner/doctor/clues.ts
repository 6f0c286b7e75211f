import path from 'node:path';
import { RunnerError } from '../../errors.js';
import { remedyForLibrary } from '../../python/libraries/library-packages.js';
import { errnoCode, systemCause } from '../../store/errno.js';
import { exitCodeInHex, exitCodeInWords, windowsExit } from '../../process/windows-exit.js';
import type { FindingId } from './catalogue.js';
import { finding, type Finding } from './finding.js';

/** A text that tells more than the code of an error, and what it tells. */
interface Clue {
  pattern: RegExp;
  /** Gets what the groups of the pattern name, the whole match of a pattern without any; undefined for a group that is not there. */
  tell: (...groups: string[]) => Finding;
}

/** Ways of Python, of the dynamic linkers and of libraries to say what is wrong, the more telling first. */
const CLUES: readonly Clue[] = [
  {
    pattern: /(\S+): cannot open shared object file/,
    tell: (library) => missingLibrary(library),
  },
  {
    pattern: /Error loading shared library ([^\s:]+): No such file/, // musl
    tell: (library) => missingLibrary(library),
  },
  {
    pattern: /version [`']((?:GLIBC|GLIBCXX|CXXABI)[A-Z_]*_[\d.]+)' not found \(required by ([^)]+)\)/,
    tell: (version, file) =>
      finding('library.too-old', {
        what: `${version} is not on this machine`,
        why: `${file} was made for a later system`,
      }),
  },
  {
    pattern: /DLL load failed while importing ([\w.]+)/,
    tell: (module) =>
      finding('library.missing', {
        what: `A DLL that ${module} needs is missing, or one of those that this needs`,
        why: 'Windows does not say which: procvision-runner doctor NAME VERSION reads it from the file',
        remedy:
          'Install the Visual C++ Redistributable 2015-2022 of Microsoft; on Windows N and Server the Media Feature Pack (OpenCV)',
      }),
  },
  {
    pattern: /failed to map segment from shared object/,
    tell: () =>
      finding('store.no-exec', {
        what: 'A native library could not be mapped for execution',
        why: 'The file system that it lies on is mounted noexec, or a policy of the system (SELinux) forbids it',
      }),
  },
  {
    pattern: /cannot allocate memory in static TLS block|file too short|invalid ELF header/,
    tell: (said) =>
      finding('library.damaged', {
        what: `A native library cannot be loaded: ${said}`,
        why: said.startsWith('cannot')
          ? 'Too many libraries want memory of each thread at the start'
          : 'The file is cut off, or is no library',
        ...(said.startsWith('cannot') && {
          remedy:
            'Have the algorithm import that library before all others, or set GLIBC_TUNABLES=glibc.rtld.optional_static_tls=4096 in policy.env',
        }),
      }),
  },
  {
    pattern:
      /A module that was compiled using NumPy 1\.x cannot be run in|numpy\.(?:ndarray|dtype) size changed|numpy\.core\.multiarray failed to import/,
    tell: (said) =>
      finding('numpy.mismatch', {
        what: said,
        why: 'NumPy 2 cannot run modules that were compiled for NumPy 1',
      }),
  },
  {
    pattern: /No module named '([\w.]+)'/,
    tell: (module) =>
      finding('module.missing', {
        what: `The module ${module} is not there`,
        why: 'requirements.txt does not ask for its project, or the module is not in the package',
      }),
  },
  {
    pattern: /cannot import name '(\w+)' from '([\w.]+)'/,
    tell: (name, module) =>
      finding('module.missing', {
        what: `${module} has no ${name}`,
        why: 'Another version of the project is installed than the algorithm was written for',
        remedy: 'Pin the version in requirements.txt, pack its wheel, and install the package again',
      }),
  },
  {
    pattern: /((?:Syntax|Indentation|Tab)Error: .+)/,
    tell: (said) =>
      finding('code.syntax', { what: said, why: 'Python cannot read the source that the traceback names' }),
  },
  {
    pattern:
      /CUDA out of memory|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED/,
    tell: (said) =>
      finding('gpu.memory', { what: said, why: 'Workers and other programs share the memory of the card' }),
  },
  {
    pattern: /CUDA driver version is insufficient|The NVIDIA driver on your system is too old/,
    tell: (said) =>
      finding('gpu.driver', { what: said, why: 'CUDA of the package is newer than the driver' }),
  },
  {
    pattern:
      /no CUDA-capable device|No CUDA GPUs are available|Found no NVIDIA driver|CUDA unknown error|cuInit[^\n]*fail/i,
    tell: (said) =>
      finding('gpu.none', { what: said, why: 'There is no card, no driver, or the worker does not see it' }),
  },
  {
    pattern:
      /could not connect to display|Could not load the Qt platform plugin|cannot open display|no display name and no \$DISPLAY/i,
    tell: (said) =>
      finding('display.missing', { what: said, why: 'A worker is a service: it has no screen' }),
  },
  {
    pattern: /can't start new thread|pthread_create failed|Resource temporarily unavailable/,
    tell: (said) =>
      finding('threads.too-many', { what: said, why: 'A bound of processes and threads was reached' }),
  },
  {
    pattern: /Too many open files/,
    tell: () =>
      finding('files.too-many-open', {
        what: 'Too many files are open',
        why: 'The limit of the process was reached',
      }),
  },
  {
    pattern:
      /Unable to allocate [\d.]+ \w+|MemoryError(?!: Unable)|std::bad_alloc|Cannot allocate memory|\[WinError 1455\][^\n]*/,
    tell: (said) => ranOut(said),
  },
  {
    pattern: /(?:No space left on device|\[WinError 112\][^:\n]*)(?:: '([^']+)')?/,
    tell: (file = '') => full(file),
  },
  {
    pattern: /Read-only file system: '([^']+)'/,
    tell: (file) => writes(file),
  },
  {
    pattern: /PermissionError: \[(?:Errno (?:1|13)|WinError 5)\] [^:\n]+: '([^']+)'/,
    tell: (file) => writes(file),
  },
  {
    // The words of Windows are those of its language.
    pattern: /FileNotFoundError: \[(?:Errno 2|WinError [23])\] [^:\n]+: '([^']+)'/,
    tell: (file) =>
      finding('algorithm.file-missing', {
        what: `${file} is not there`,
        why: path.win32.isAbsolute(file)
          ? 'It is a path of the machine on which the algorithm was written, or a device that is not plugged in'
          : 'It was not packed, or is looked for from another folder',
      }),
  },
  {
    pattern:
      /Network is unreachable|name resolution|Name or service not known|getaddrinfo failed|the network is denied/i,
    tell: (said) =>
      finding('algorithm.network', {
        what: said,
        why: 'Workers and trial runs have no network unless the policy gives it',
      }),
  },
  {
    pattern: /Object of type (\w+) is not JSON serializable|is (numpy\.\w+)/,
    tell: (type, other) =>
      finding('answer.type', {
        what: `The answer has a ${type || other}`,
        why: 'Values of NumPy and objects of Python have no form in JSON',
      }),
  },
];

/** Codes of the system, by what they say (errno(3)). */
const BY_ERRNO: Readonly<Record<string, FindingId>> = {
  ENOSPC: 'disk.full',
  EDQUOT: 'disk.full',
  EROFS: 'store.read-only',
  EACCES: 'store.not-permitted',
  EPERM: 'store.not-permitted',
  EMFILE: 'files.too-many-open',
  ENFILE: 'files.too-many-open',
  ENOMEM: 'memory.ran-out',
  EAGAIN: 'threads.too-many',
  EIO: 'disk.failing',
  ENOTDIR: 'store.not-a-folder',
};

const BY_SIGNAL: Readonly<Record<string, [id: FindingId, why: string]>> = {
  SIGSEGV: ['crash.native', 'A native library used memory that it does not have'],
  SIGABRT: ['crash.native', 'A native library gave up: its last words are above'],
  SIGFPE: ['crash.native', 'A native library divided by zero'],
  SIGILL: ['crash.instruction', 'The processor does not know an instruction, such as one of AVX'],
  SIGBUS: ['crash.shared-memory', 'A page of a mapped file could not be had'],
  SIGKILL: ['killed.outside', 'Neither this library nor the algorithm has sent the signal'],
  SIGTERM: ['killed.outside', 'Somebody asked the process to end'],
};

/** Exit codes of Windows that are no crash of the library that runs. */
const BY_STATUS: Readonly<Record<string, FindingId>> = {
  '0xC0000017': 'memory.ran-out',
  '0xC000012D': 'memory.ran-out',
  '0xC000001D': 'crash.instruction',
  '0xC000007B': 'library.missing',
  '0xC0000135': 'library.missing',
  '0xC0000139': 'library.missing',
  '0x40010004': 'killed.outside',
  '0xC000013A': 'killed.outside',
};

/** What the details of an error tell beyond its code: the library, file, module or limit at fault. */
export function cluesOf(error: RunnerError): Finding[] {
  const { name, version, isOutOfMemory, exitSignal, exitCode, holder } = error.details;
  const about = { ...(name !== undefined && { name }), ...(version !== undefined && { version }) };
  const found: Finding[] = [];
  if (isOutOfMemory) found.push(ranOut('The kernel ended the process: memory had run out'));
  const text = textOf(error);
  const clue = CLUES.map((one) => ({ one, match: one.pattern.exec(text) })).find(({ match }) => match);
  if (clue?.match) {
    const [whole, ...groups] = clue.match;
    found.push(clue.one.tell(...(groups.length > 0 ? groups : [whole])));
  }
  const byErrno = bySystem(error);
  if (byErrno && !found.some(({ id }) => id === byErrno.id)) found.push(byErrno);
  const [id, why] = BY_SIGNAL[exitSignal ?? ''] ?? [];
  if (id && why !== undefined && found.length === 0)
    found.push(finding(id, { what: `The process ended by ${exitSignal}`, why }));
  const status = windowsExit(exitCode ?? null);
  if (status && found.length === 0) {
    found.push(
      finding(BY_STATUS[exitCodeInHex(exitCode ?? 0)] ?? 'crash.native', {
        what: `The process ended with exit code ${exitCodeInWords(exitCode ?? null)}`,
        why: status.remedy,
      }),
    );
  }
  if (found.length === 0 && error.code === 'worker_exited' && typeof exitCode === 'number') {
    found.push(
      finding('algorithm.exits', {
        what: `The worker left by itself with exit code ${exitCode}`,
        why: 'Nothing of this library has ended it',
      }),
    );
  }
  if (holder) {
    found.push(
      finding('holder.named', {
        what: `Process ${holder.processId} on ${holder.host} holds ${error.details.path ?? 'the lock'}`,
        why: `${holder.operation}, since ${holder.acquiredAt}`,
        remedy: `Wait for it to end; if it hangs, end that process: kill ${holder.processId} on ${holder.host}`,
      }),
    );
  }
  return found.map((one) => ({ ...one, ...about }));
}

/** All that the error and those behind it say. */
function textOf(error: RunnerError): string {
  const texts: string[] = [];
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    texts.push(at.message);
    const { traceback, output, raw } = RunnerError.is(at) ? at.details : {};
    if (traceback !== undefined) texts.push(traceback);
    if (output) texts.push(output.join('\n'));
    if (typeof raw === 'object' && raw !== null) texts.push(JSON.stringify(raw).slice(0, 10_000));
  }
  return texts.join('\n');
}

function bySystem(error: RunnerError): Finding | undefined {
  const code = systemCause(error);
  const id = code === undefined ? undefined : BY_ERRNO[code];
  if (id === undefined) return undefined;
  let file = error.details.path;
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (errnoCode(at) === code) file = (at as NodeJS.ErrnoException).path ?? file;
  }
  const where = file === undefined ? '' : ` at ${file}`;
  return finding(id, {
    what: `The system answered ${code}${where}`,
    why: error.message,
    ...(file !== undefined && { path: file }),
  });
}

/** A library that is missing, with the packages that have it. */
export function missingLibrary(library: string): Finding {
  return finding('library.missing', {
    what: `The library ${library} is not on this machine`,
    why: 'A wheel needs it, and it is a part of the system',
    remedy: remedyForLibrary(library),
  });
}

function ranOut(said: string): Finding {
  return finding('memory.ran-out', {
    what: said,
    why: 'Workers, their models and pictures took more than there is',
  });
}

function full(file: string): Finding {
  if (!/shm|scratch|tmp/.test(file)) {
    return finding('disk.full', {
      what: `There is no space left${file === '' ? '' : ` for ${file}`}`,
      why: 'The disk, or what this user may take of it, is full',
    });
  }
  return finding('disk.full', {
    what: `There is no space left for ${file}`,
    why: "A worker's own files lie in memory and are bounded",
    remedy: 'Raise policy.resources.scratchBytes, or have the algorithm write less',
  });
}

function writes(file: string): Finding {
  return finding('algorithm.writes', {
    what: `The algorithm may not write to ${file}`,
    why: 'What was installed is sealed, and read-only to workers',
  });
}
