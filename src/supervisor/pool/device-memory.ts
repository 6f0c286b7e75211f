import type { WorkerReply } from '../../worker/types.js';

/** Classes of exceptions for memory of a device: the SDK's own, PyTorch's, CuPy's. */
const CLASSES: ReadonlySet<string> = new Set([
  'GPUOutOfMemoryError',
  'OutOfMemoryError',
  'CUDAOutOfMemoryError',
]);

/**
 * What CUDA, ROCm, cuBLAS and ONNX Runtime say when a device has no memory left. A message alone is looked at where the
 * worker does not name the class, as the SDK's adapter does not.
 */
const MESSAGES =
  /\b(?:CUDA|HIP) out of memory|CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation|CUDA failure 2: out of memory|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED|Failed to allocate memory for requested buffer/;

/** Whether an algorithm failed because the memory of a device (GPU) is used up. */
export function isDeviceOutOfMemory({ status, message, exception, raised }: WorkerReply): boolean {
  if (status !== 'ERROR') return false;
  const kind = (exception ?? raised?.type)?.split('.').at(-1);
  return (kind !== undefined && CLASSES.has(kind)) || MESSAGES.test(message);
}

/** The first pause; each further one is twice as long. */
const FIRST_PAUSE_MS = 250;
/** A pause takes at most this share of what is left of the call's time: the attempt after it needs time too. */
const MOST_SHARE = 0.25;

/** How long to wait before a device that was full is asked again: other workers must have given memory back. */
export function pauseMs(attempts: number, leftMs: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (attempts - 1), leftMs * MOST_SHARE);
}
