import { kind } from './kind.js';

/** Of what the details of an error tell. */
export const ERROR_KINDS = {
  'module.missing': kind(
    'error',
    'A Python module is not there',
    'Add its project to requirements.txt, pack its wheel, and install the package again',
  ),
  'code.syntax': kind(
    'error',
    'The source is no Python that this interpreter understands',
    'Mend the line; newer syntax needs a newer Python in the manifest',
  ),
  'numpy.mismatch': kind(
    'error',
    'A module was compiled for another NumPy',
    'Have the package made with wheels that go together: numpy<2, or newer wheels of the others',
  ),
  'algorithm.file-missing': kind(
    'error',
    'The algorithm opens a file that is not there',
    'Pack the file, name it in required_assets, and open it below the folder of the module (__file__)',
  ),
  'algorithm.writes': kind(
    'error',
    'The algorithm writes where it may not: its folder is read-only',
    'Have it write below tempfile.gettempdir(), which is its own, or return what it has to tell',
  ),
  'algorithm.network': kind(
    'error',
    'The algorithm asks for a network that is not there',
    'Pack what it loads; where it has to talk to a device, policy.network: host lets it reach every network of the machine',
  ),
  'algorithm.exits': kind(
    'error',
    'The algorithm ended its own process',
    'Have sys.exit() and os._exit() taken out of it: a fault is an exception',
  ),
  'answer.type': kind(
    'error',
    'The answer has a value that is no plain JSON',
    'Have it converted: float(x), int(x), x.tolist()',
  ),
  'display.missing': kind(
    'error',
    'A window was to be opened, and there is no display',
    'Have cv2.imshow and plots taken out, or opencv-python-headless packed; QT_QPA_PLATFORM=offscreen in policy.env helps Qt',
  ),
  'gpu.none': kind(
    'error',
    'No GPU can be used',
    'Install the driver (nvidia-smi tells), give the card to the container (--gpus all), and look at policy.devices',
  ),
  'gpu.driver': kind(
    'error',
    'The driver of the GPU is older than the libraries of the package',
    'Upgrade the driver, or have the package made for the CUDA that the driver has (nvidia-smi names it)',
  ),
  'gpu.memory': kind(
    'error',
    'The memory of the GPU ran out',
    'Fewer workers, or a device of its own: policy.workers, policy.devices',
  ),
  'memory.ran-out': kind(
    'error',
    'Memory ran out',
    'Give the machine or the container more, run fewer workers, or set policy.recycleAboveBytes',
  ),
  'threads.too-many': kind(
    'error',
    'No more threads or processes can be started',
    'Raise TasksMax= or --pids-limit, or bound threads of numeric libraries by policy.threads',
  ),
  'files.too-many-open': kind(
    'error',
    'Too many files are open',
    'Raise the limit: LimitNOFILE=65536 in the unit; a number that only grows is a leak of the algorithm',
  ),
  'crash.native': kind(
    'error',
    'Native code crashed',
    'Ask the maker of the package; another version of the library that the last lines name may help',
  ),
  'crash.instruction': kind(
    'error',
    'A library uses instructions that this processor does not have',
    'Have the package made with wheels for older processors (without AVX), or use another machine',
  ),
  'crash.shared-memory': kind(
    'error',
    'Shared memory or a mapped file had no room (SIGBUS)',
    'Give /dev/shm more (--shm-size=1g), or look whether a file was cut while it was mapped',
  ),
  'killed.outside': kind(
    'warning',
    'Something outside of this library ended the process',
    'Look for who did (journalctl, dmesg: oom-kill); mostly memory had run out',
  ),
  'disk.failing': kind(
    'error',
    'The disk reports an error of input or output',
    'Look at dmesg and smartctl, and replace the disk; restore the store from a backup',
  ),
  'holder.named': kind(
    'warning',
    'Another process works on the store',
    'Wait for it to end; if it hangs, end that process',
  ),
};
