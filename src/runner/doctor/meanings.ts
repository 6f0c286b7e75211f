import type { RunnerErrorCode } from '../../errors.js';

/** What a code means, whatever its error says. `meaning` and `remedy` are those of docs/operations.md. */
export interface Meaning {
  meaning: string;
  /** The commonest first. */
  causes: readonly string[];
  remedy: string;
}

/** In the order of the codes. */
export const MEANINGS: Readonly<Record<RunnerErrorCode, Meaning>> = {
  invalid_zip: {
    meaning: 'The package is cut off, damaged, hostile or unsigned where a signature is asked for.',
    causes: [
      'The file was cut off or changed while it was copied',
      'It was packed by a tool that writes more than the zip format has',
      'It is not signed, or by a key that this station does not trust',
    ],
    remedy:
      "Copy it again and compare its size with the maker's. If it stays, ask its maker; the message names the entry.",
  },
  untrusted_keys: {
    meaning: 'The key set is expired, not signed by enough holders, older than one seen, or cannot be read.',
    causes: [
      'The set has expired',
      'Too few of its holders have signed the newest version',
      'An older set was copied over a newer one',
      'The clock of the station is wrong',
    ],
    remedy:
      'The message names the keys whose holders must sign: they renew the set (docs/security.md), then copy it here. What runs goes on.',
  },
  manifest_missing: {
    meaning: 'There is no `manifest.json` at the top of the zip or in its one folder.',
    causes: [
      'The zip was made of the inside of the project, or of a folder above it',
      'It is another zip than the package',
    ],
    remedy: 'The message says what it found instead. Otherwise ask its maker for a complete package.',
  },
  manifest_invalid: {
    meaning: 'The `manifest.json` is not JSON, or its fields are not what they must be.',
    causes: [
      'A comma or a quote is missing in the file',
      'A field has another type than the specification gives',
    ],
    remedy: 'Tell its maker the paths in `details.issues`.',
  },
  incompatible_python: {
    meaning: 'A wheel fits no Python of this station.',
    causes: [
      'The wheels are for another version of Python',
      'The package was packed for Windows and this is Linux, or the reverse',
      'The Python that was uninstalled or upgraded was the one of the environment',
    ],
    remedy:
      'Install one of the wanted versions, or ask for a package for a Python of this station; the message lists both.',
  },
  wheels_missing: {
    meaning: 'A requirement is met by no wheel in the package.',
    causes: [
      'requirements.txt names a project whose wheel was not packed',
      'The wheel is there, for another Python or system',
      'A wheel asks for a project that was not packed',
    ],
    remedy: 'Ask its maker to pack the wheels that are named.',
  },
  install_failed: {
    meaning: 'Environment, pip or trial run failed.',
    causes: [
      'A library of the system is missing that a wheel needs',
      'The algorithm raised in its trial run',
      'This Python has no module venv',
    ],
    remedy: 'Read `details.output` or `details.traceback`.',
  },
  activation_conflict: {
    meaning: 'Another package serves this product id.',
    causes: ['The product id was moved from one package to another without a switch'],
    remedy: 'Deactivate it there, or switch.',
  },
  unsafe_uninstall: {
    meaning: 'The version is active or running.',
    causes: [
      'A product id is bound to the version',
      'A host runs it at this moment',
      'A rollback would go back to it',
    ],
    remedy: 'Switch its product ids to another version first, or force.',
  },
  already_installed: {
    meaning: 'This version is deployed.',
    causes: ['The package was installed before, from this or from other bytes'],
    remedy: 'Nothing, or raise the version; `force` replaces it.',
  },
  version_in_use: {
    meaning: 'A running host uses the version that is to be replaced.',
    causes: [
      'A host runs the version at this moment',
      'The new package does not support a product id that the old one serves',
    ],
    remedy: 'Stop it there first; `details` names the process.',
  },
  not_found: {
    meaning: 'No such package, version or active product id.',
    causes: [
      'The name, the version or the product id is mistyped',
      'The version was pruned',
      'No version was activated for the product id',
    ],
    remedy: 'Look at `registry.list()` and `registry.active()`.',
  },
  version_barred: {
    meaning: 'The version failed its trial after a switch.',
    causes: ['The version gave errors or other verdicts while it was on trial'],
    remedy: 'Deploy a mended one; `force` if you know better.',
  },
  lock_timeout: {
    meaning: 'Another process holds the store or the version.',
    causes: [
      'An install of a large package is under way',
      'A host was stopped in a debugger or by Ctrl-Z',
      'The store lies on a share whose server does not answer',
    ],
    remedy: '`details.holder` names host, process and operation: wait for it, or end it.',
  },
  busy: {
    meaning: 'Another process replaces or removes the version; `details.holder` says which.',
    causes: ['An install, an uninstall or a verification of the same version is under way'],
    remedy: 'Look again when that has ended.',
  },
  lock_lost: {
    meaning: 'This process was thought dead and its lock taken over.',
    causes: [
      'The machine slept, or its virtual machine was paused',
      'The disk or the share of the store stood still for longer than 20 seconds',
    ],
    remedy: 'It was stopped or swapped out for long; the operation was undone. Do it again.',
  },
  store_damaged: {
    meaning: 'A file of the store can be neither read nor rebuilt.',
    causes: [
      'A disk that fails',
      'The store was written by a later version of this library',
      'Somebody has edited a file of the store',
    ],
    remedy: 'Restore it from a backup; the message names it.',
  },
  store_failed: {
    meaning: 'The system refused to read or write a file of the store.',
    causes: [
      'The disk is full or read-only',
      'The user of this process may not write to the store',
      'The disk fails, or the share is gone',
    ],
    remedy:
      'Rights, disk space or a failing disk: the cause says which; free the bytes the message asks for.',
  },
  unknown: {
    meaning: 'The worker said no more than that it failed.',
    causes: [
      'The algorithm answered ERROR without a code',
      'The adapter of the SDK met something that it does not know',
    ],
    remedy: 'Look at its last lines; ask its maker.',
  },
  invalid_pid: {
    meaning: 'The package does not support this product id.',
    causes: ['The product id is mistyped', 'It belongs to another package'],
    remedy: 'Check the id; the manifest lists what is supported.',
  },
  invalid_image: {
    meaning: 'The bytes are not those the size asks for.',
    causes: [
      'The rows of the picture have padding',
      'The camera sends another pixel format than before',
      'The file is no picture, or is cut off',
    ],
    remedy: 'A camera driver that changed its format, mostly: compare width, height and channels.',
  },
  invalid_params: {
    meaning: 'An argument is not what it must be.',
    causes: ['An option is mistyped', 'A value has another type or is past its bound', 'An await is missing'],
    remedy: 'The message names it.',
  },
  not_initialized: {
    meaning: 'The algorithm was called before it was ready.',
    causes: [
      'The version was not started and `lazyStart` is off',
      'The worker was called before setup() had ended',
    ],
    remedy: 'Call `start()` first, or allow `lazyStart`.',
  },
  timeout: {
    meaning: 'A call or a step took longer than its limit. The worker was replaced.',
    causes: [
      'The first call loads a model',
      'The machine is busy: more workers than processors',
      'The algorithm waits for a device or a network that is not there',
    ],
    remedy: 'Once: nothing. Often: raise the limit, or ask why the algorithm takes so long.',
  },
  heartbeat_lost: {
    meaning: 'An idle worker stopped answering. It was replaced.',
    causes: [
      "Native code holds Python's lock (GIL) for long",
      'The machine swaps',
      'The process was stopped',
    ],
    remedy: 'Look for a machine that swaps, or an algorithm that works between calls.',
  },
  frame_missing: {
    meaning:
      'The worker read another picture than it was sent, or did not tell what it read. No verdict was given.',
    causes: [
      'Something cleans /dev/shm or the temp dir',
      'Two workers share one folder of frames',
      "The worker may not read the frames of the host's user",
    ],
    remedy:
      "Look for what else writes or cleans in the folder of frames. A worker program of your own that reports nothing needs `policy: { proof: 'off' }`.",
  },
  unsupported_color_space: {
    meaning: 'The worker does not know the colour space.',
    causes: ['A colour space was named that the package does not know'],
    remedy: 'Hand over `RGB` or `BGR`.',
  },
  execute_exception: {
    meaning:
      'The algorithm raised in `info()` or a hook. In an inspection that is a result with status ERROR and number 1009.',
    causes: ['A fault of the algorithm', 'A file, model or licence that it needs is not there'],
    remedy: "The message is the exception's; ask its maker.",
  },
  stdout_contaminated: {
    meaning: 'The algorithm printed where its SDK forbids it.',
    causes: ['A print() in the algorithm or in one of its libraries'],
    remedy: "Ask its maker, or run it with `worker: 'bundled'`.",
  },
  start_failed: {
    meaning: 'The worker could not start or could not load the algorithm.',
    causes: [
      'A library of the system is missing that a wheel needs',
      'A model, a licence or a device is missing',
      'The environment is damaged, or its Python is gone',
      'Memory ran out while it loaded',
    ],
    remedy: '`details.output` has its last lines: a missing licence, model or device.',
  },
  worker_exited: {
    meaning: 'The worker died during the call. It is started again.',
    causes: [
      'Memory ran out, and the kernel chose the worker',
      'A crash in native code (SIGSEGV)',
      'The algorithm called sys.exit() or os._exit()',
      'A native library that is not for this processor (SIGILL)',
    ],
    remedy:
      "Often: look at exit code and signal. SIGKILL without a reason is the system's out-of-memory killer.",
  },
  protocol_error: {
    meaning: 'The worker sent what is no answer. It was replaced.',
    causes: [
      'A library writes to the pipe of the protocol',
      'The SDK of the package is another than it says',
    ],
    remedy: "Ask the package's maker; the message says what came.",
  },
  contract_violation: {
    meaning: 'The answer breaks the contract and is no verdict.',
    causes: [
      'The verdict is NG without a reason',
      'A value is a type of NumPy',
      'There are more than 20 boxes',
    ],
    remedy: 'Ask its maker; `details.path` and `details.raw` show what.',
  },
  queue_full: {
    meaning: 'More calls wait than the policy allows.',
    causes: ['The line asks faster than the algorithm answers', 'A worker hangs, and the others do its work'],
    remedy: 'Slow down, or raise `workers` or `maxQueue`.',
  },
  circuit_open: {
    meaning: 'The version crashed too often.',
    causes: ['The algorithm crashes at each start', 'A device or a licence is gone'],
    remedy: 'Mend the cause, then `resetCircuit()`; or wait for the cool-down; or roll back.',
  },
  gpu_oom: {
    meaning: 'The memory of a device (GPU) was used up at each attempt, with a pause between them.',
    causes: ['More workers share the card than its memory holds', 'Another program uses the card'],
    remedy: 'Fewer workers, or a device of its own: `policy.workers`, `policy.devices`.',
  },
  unsupported_phase: {
    meaning: 'The package has no such phase.',
    causes: [
      'pre_execute was called of a package for SDK 0.3 or later',
      'reset or info was called of an adapter that has no such phase',
    ],
    remedy: 'Packages for SDK 0.3 and later have `execute` alone.',
  },
  unsupported_image: {
    meaning: 'The decoder of JPEG cannot be loaded.',
    causes: [
      'The package was installed without its dependencies',
      'The optional package sharp is not installed (TIFF, WebP)',
    ],
    remedy: 'Install the library again with its dependencies, or hand over pixels.',
  },
  frame_released: {
    meaning: 'A frame was used or released after its release.',
    causes: ['A frame was kept and used for a second call after release()'],
    remedy: 'A fault of the host application.',
  },
  pool_full: {
    meaning: 'No frame became free in time, or the image is larger than the pool.',
    causes: [
      'Frames are leased and never released',
      'The picture is larger than the pool',
      '`/dev/shm` is small: a container has 64 MB unless it is given more',
    ],
    remedy: 'Release frames earlier, or raise `maxBytes`; look at the space on `/dev/shm`.',
  },
  superseded: {
    meaning: 'A newer switch or rollback of the same product id came while this one still warmed up.',
    causes: ['Two operators, or two programs, switch the same product id'],
    remedy: 'Nothing: this one has changed nothing, and the newer one stands.',
  },
  unreachable: {
    meaning: 'There is no line to the server of the fleet, or to any source of a package.',
    causes: ['The network of the plant is down', 'The address or the port is wrong'],
    remedy: 'Check the address that the message names. The station serves on, and tries again by itself.',
  },
  no_responders: {
    meaning: 'Nobody in the plant answers inspections of the product id.',
    causes: ['No station serves it', 'The stations that serve it have no line'],
    remedy:
      '`fleet status` shows which stations serve the product id; one of them must answer inspections: `serveInspections`, or `inspections` in the file of `serve --fleet`.',
  },
  denied: {
    meaning: 'The server of the fleet refuses it to this user.',
    causes: ['The user or its key is not in the configuration of the server', 'It lacks the permission'],
    remedy: 'Write the configuration anew: `procvision-runner fleet permissions`.',
  },
  conflict: {
    meaning: 'Another program wrote the same key first.',
    causes: ['Two controllers or two people changed the same thing'],
    remedy: 'Read it again, and decide anew.',
  },
  untrusted_state: {
    meaning: 'A word of the fleet has no valid signature for this station, or is older than one seen.',
    causes: ['The station does not have the new key of the controller', 'An old word was written again'],
    remedy: 'The message names the key. The station serves on what it served.',
  },
  source_missing: {
    meaning: 'No source has the package, or an entry of it.',
    causes: ['The package was not copied to a source', 'The sources are not the right ones'],
    remedy: 'Put the package into `zips/` of one of the sources that the message names.',
  },
  digest_mismatch: {
    meaning: 'What a source has is not what was asked for.',
    causes: ['The file of the source was changed or is damaged'],
    remedy: 'Copy the package to the source again. What came was thrown away.',
  },
  undeliverable: {
    meaning: 'The platform refuses a record or a picture for good.',
    causes: [
      'The platform does not know the station or the product id',
      'Platform and station differ in version',
    ],
    remedy:
      'It is set aside with the reason: `outbox status`. Once the platform is put right, retry; or `outbox export`.',
  },
  untrusted_receipt: {
    meaning: 'A record of the outbox was removed, altered, swapped or added after its receipt.',
    causes: ['Files of the outbox were edited or restored in part'],
    remedy: 'The message names the record; the signed head says what there was.',
  },
  aborted: {
    meaning: "The caller's signal fired.",
    causes: ['The caller gave up', 'The program is stopped'],
    remedy: 'Nothing.',
  },
  closed: {
    meaning: 'The object was closed, or the version stopped.',
    causes: ['A call came after close() or stop()'],
    remedy: 'Nothing, if that was intended.',
  },
  unsupported_platform: {
    meaning: 'This platform cannot do it.',
    causes: ['The feature is for Linux or POSIX alone'],
    remedy: 'The message says what can.',
  },
  internal: {
    meaning: 'A fault of procvision-runner itself, not of the package, the station or the call.',
    causes: ['A fault in this library'],
    remedy:
      'Try again, and report it with `details.stack`. A package that met it is not remembered as invalid.',
  },
};
