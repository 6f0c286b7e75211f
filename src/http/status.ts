import type { RunnerErrorCode } from '../errors.js';

/** Faults of a request itself, before the library is asked; `internal` is what nobody foresaw. */
export type RequestFaultCode =
  | 'bad_request'
  | 'unauthorized'
  | 'forbidden'
  | 'unknown_path'
  | 'method_not_allowed'
  | 'not_acceptable'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'idempotency_conflict'
  | 'idempotency_mismatch'
  | 'not_served'
  | 'body_consumed'
  | 'internal';

/**
 * The status of each code of the library. 4xx: the request or the package is at fault, the same will fail again. 502:
 * the algorithm or its process is. 429, 503: come again. 500: the store or the host is.
 */
export const STATUS_OF_CODE: Readonly<Record<RunnerErrorCode, number>> = {
  invalid_params: 400,
  not_found: 404,
  activation_conflict: 409,
  unsafe_uninstall: 409,
  already_installed: 409,
  version_in_use: 409,
  version_barred: 409,
  invalid_zip: 422,
  manifest_missing: 422,
  manifest_invalid: 422,
  incompatible_python: 422,
  wheels_missing: 422,
  install_failed: 422,
  invalid_pid: 422,
  invalid_image: 422,
  unsupported_phase: 422,
  unsupported_image: 422,
  unsupported_color_space: 422,
  aborted: 499,
  superseded: 409,
  unreachable: 503,
  no_responders: 503,
  denied: 403,
  conflict: 409,
  untrusted_state: 500,
  source_missing: 502,
  digest_mismatch: 502,
  undeliverable: 502,
  untrusted_receipt: 500,
  gpu_oom: 503,
  busy: 503,
  untrusted_keys: 500,
  store_damaged: 500,
  store_failed: 500,
  frame_released: 500,
  internal: 500,
  unsupported_platform: 501,
  unknown: 502,
  not_initialized: 502,
  heartbeat_lost: 502,
  frame_missing: 502,
  execute_exception: 502,
  stdout_contaminated: 502,
  start_failed: 502,
  worker_exited: 502,
  protocol_error: 502,
  contract_violation: 502,
  lock_timeout: 503,
  lock_lost: 503,
  queue_full: 429,
  pool_full: 503,
  circuit_open: 503,
  closed: 503,
  timeout: 504,
};

/** The status of each fault of a request. */
export const STATUS_OF_FAULT: Readonly<Record<RequestFaultCode, number>> = {
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  unknown_path: 404,
  method_not_allowed: 405,
  not_acceptable: 406,
  payload_too_large: 413,
  unsupported_media_type: 415,
  idempotency_conflict: 409,
  idempotency_mismatch: 422,
  not_served: 501,
  body_consumed: 500,
  internal: 500,
};
