/** The JSON that the platform takes, by the runner's specification (sections 7 to 10): snake_case, as on the wire. */

/** One verdict, as `POST /v1/logs/batch` takes it. */
export interface VerdictRecord {
  /** `<workstation_id>/<session_id>/<step>/<timestamp_ms>`; two of one step in one millisecond get a suffix (`-1`). */
  ingest_id: string;
  timestamp_ms: number;
  workstation_id: string;
  session_id: string;
  step_index: number;
  /** The product id. */
  pid: string;
  trace_id: string;
  /** As the algorithm answered. */
  status: 'OK' | 'ERROR';
  latency_ms: number;
  model_version: string;
  result_status: 'OK' | 'NG' | 'ERROR';
  ng_reason: string | null;
  defect_rects_count: number;
}

/** One picture, as `POST /v1/artifacts/commit` takes it. */
export interface ArtifactRecord {
  /** `<ingest_id>/<first 16 digits of its SHA-256>`, with `-thumbnail` behind it for a thumbnail, and `-2` where two have the same bytes. */
  artifact_id: string;
  /** Of the verdict that it belongs to. */
  ingest_id: string;
  session_id: string;
  pid: string;
  /** `ng_image` for pictures of OK parts and thumbnails too: the platform knows no other. */
  type: 'ng_image' | 'roi_crop' | 'report';
  content_type: string;
  size_bytes: number;
  result_status: 'OK' | 'NG' | 'ERROR';
  ng_reason: string | null;
  camera_id: string | null;
  width: number;
  height: number;
}

/** What happened at a station, as `POST /v1/logs/batch` takes it: its health, an alarm, a line of a log. */
export interface EventRecord {
  /** `<workstation_id>/<kind>/-/<timestamp_ms>`, with a suffix as for verdicts. */
  ingest_id: string;
  timestamp_ms: number;
  workstation_id: string;
  kind: 'health' | 'alarm' | 'log';
  /** As it was given. */
  data: Readonly<Record<string, unknown>>;
}

/** What a station has seen and could not keep. */
export interface ShedRecord {
  /** `<workstation_id>/shed/-/<timestamp_ms>`, with a suffix as for verdicts. */
  ingest_id: string;
  timestamp_ms: number;
  workstation_id: string;
  kind: 'shed';
  /**
   * `full`: past the bound of bytes. `age`: not delivered in time. `disk`: the disk took none, or not fast enough. `encoding`: a picture
   * that cannot be read or encoded, or not fast enough, or whose rule `choose` failed.
   */
  reason: 'full' | 'age' | 'disk' | 'encoding';
  priority: 'health' | 'business' | 'diagnostics' | 'ngPictures' | 'okPictures';
  records: number;
  bytes: number;
}
