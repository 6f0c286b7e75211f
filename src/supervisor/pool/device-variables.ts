import { availableParallelism } from 'node:os';
import type { SupervisorPolicy } from '../policy-options.js';

/**
 * How many threads a numeric library of a worker uses. Each of these libraries takes all cores by itself, so that several
 * workers get in each other's way: four with NumPy on two cores make 57 calls a second, and 137 with one thread each. ONNX
 * Runtime reads no variable: its threads are the package's to set (`SessionOptions.intra_op_num_threads`).
 */
const THREAD_VARIABLES = [
  'OMP_NUM_THREADS', // OpenMP: PyTorch, scikit-learn, parts of OpenCV
  'OPENBLAS_NUM_THREADS', // NumPy and SciPy of PyPI
  'MKL_NUM_THREADS',
  'NUMEXPR_NUM_THREADS',
  'VECLIB_MAXIMUM_THREADS', // NumPy on macOS
  'OPENCV_FOR_THREADS_NUM', // OpenCV, parallel_for_
];

/** Which devices CUDA and ROCm show to a process. */
const DEVICE_VARIABLES = ['CUDA_VISIBLE_DEVICES', 'HIP_VISIBLE_DEVICES'];

/** Threads that each of some workers may use; undefined leaves it to the libraries. */
export function threadsOf(
  { threads }: Pick<SupervisorPolicy, 'threads'>,
  workers: number,
  cores = availableParallelism(),
): number | undefined {
  if (typeof threads === 'number') return threads;
  // One worker may use the whole machine, as it would without us.
  return threads === 'auto' && workers > 1 ? Math.max(1, Math.floor(cores / workers)) : undefined;
}

/** The variables of a worker's share of the machine. Those of `policy.env` come before them. */
export function deviceVariables(
  policy: Pick<SupervisorPolicy, 'threads' | 'devices'>,
  workers: number,
  cores?: number,
): Record<string, string> {
  const threads = threadsOf(policy, workers, cores);
  const { devices } = policy;
  // An empty variable is none on Windows; -1 is a device that never is there.
  const shown = devices && (devices.length > 0 ? devices.join(',') : '-1');
  return {
    ...(threads !== undefined && Object.fromEntries(THREAD_VARIABLES.map((name) => [name, String(threads)]))),
    ...(shown !== undefined && {
      ...Object.fromEntries(DEVICE_VARIABLES.map((name) => [name, shown])),
      CUDA_DEVICE_ORDER: 'PCI_BUS_ID', // numbers as nvidia-smi shows them, not by speed
    }),
  };
}
