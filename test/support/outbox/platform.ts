import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { createHash } from 'node:crypto';

/** What goes wrong with one request. */
export type Fault =
  /** Answered with this, and nothing is stored. */
  | { status: number; headers?: Record<string, string>; body?: string }
  /** The line is cut after so many bytes of the body. */
  | 'reset'
  /** Stored, and the line is cut before the answer. */
  | 'lostAnswer'
  /** Stored, and answered with a page of somebody else. */
  | 'wrongJson'
  /** Never answered. */
  | 'hang';

export type PlatformRoute = 'logs' | 'presign' | 'put' | 'commit' | 'artifacts';

export interface PlatformOptions {
  /** Key, certificate, and with `ca` and `requestCert` clients must show theirs. */
  tls?: { key: string; cert: string; ca?: string; requestCert?: boolean };
  /** Demanded of each call to the API, and never to be shown to the storage. */
  token?: string;
  /** Chooses what goes wrong. */
  fault?: (route: PlatformRoute, call: number) => Fault | undefined;
  /** Refuses a record for good. */
  isPoison?: (record: Record<string, unknown>) => boolean;
  /** Records over which its program fails: the batch is answered with 500. */
  stumblesOver?: (record: Record<string, unknown>) => boolean;
  presigns?: boolean;
}

export interface StoredArtifact {
  artifact: Record<string, unknown>;
  sha256: string;
  bytes: number;
}

const VERDICT_FIELDS = [
  ...['ingest_id', 'timestamp_ms', 'workstation_id', 'session_id', 'step_index', 'pid', 'trace_id', 'status'],
  ...['latency_ms', 'model_version', 'result_status', 'ng_reason', 'defect_rects_count'],
].sort();
const ARTIFACT_FIELDS = [
  ...['artifact_id', 'ingest_id', 'session_id', 'pid', 'type', 'content_type', 'size_bytes', 'result_status'],
  ...['ng_reason', 'camera_id', 'width', 'height'],
].sort();

/**
 * A platform with a storage beside it, as strict as the rules are: what breaks one is in `violations`. It keeps records and artefacts by
 * their ids, in the order in which they came first.
 */
export class Platform {
  readonly records = new Map<string, Record<string, unknown>>();
  readonly artifacts = new Map<string, StoredArtifact>();
  readonly violations: string[] = [];
  readonly calls: Record<PlatformRoute, number> = { logs: 0, presign: 0, put: 0, commit: 0, artifacts: 0 };
  /** What came of each batch: how many records, and bytes. */
  readonly batches: { records: number; bytes: number; at: number }[] = [];
  /** Requests in the order in which they came in. */
  readonly requests: PlatformRoute[] = [];
  /** Records and artefacts that came once more. */
  repeated = 0;
  url = '';
  storageUrl = '';
  readonly #o: PlatformOptions;
  readonly #api: http.Server;
  readonly #storage: http.Server;
  readonly #presigned = new Map<string, { size: number; type: string }>();
  readonly #objects = new Map<string, { sha256: string; bytes: number }>();

  private constructor(o: PlatformOptions) {
    this.#o = o;
    const make = (listener: http.RequestListener): http.Server =>
      o.tls
        ? https.createServer({ ...o.tls, rejectUnauthorized: true }, listener)
        : http.createServer(listener);
    this.#api = make(
      (request, response) => void this.#answer(request, response, (body) => this.#call(request, body)),
    );
    this.#storage = make(
      (request, response) => void this.#answer(request, response, (body) => this.#put(request, body)),
    );
  }

  static async start(o: PlatformOptions = {}): Promise<Platform> {
    const platform = new Platform(o);
    const scheme = o.tls ? 'https' : 'http';
    platform.url = `${scheme}://localhost:${await listen(platform.#api)}`;
    platform.storageUrl = `${scheme}://localhost:${await listen(platform.#storage)}`;
    return platform;
  }

  async close(): Promise<void> {
    for (const server of [this.#api, this.#storage]) {
      if (!server.listening) continue;
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    }
  }

  /** The storage alone goes away. */
  closeStorage(): void {
    this.#storage.close();
    this.#storage.closeAllConnections();
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    take: (body: Buffer) => { status: number; body: string },
  ): Promise<void> {
    const route = routeOf(request);
    const { socket } = request;
    this.requests.push(route);
    const fault = this.#o.fault?.(route, ++this.calls[route]);
    if (fault === 'hang') return;
    const body = await readBody(request, fault === 'reset');
    if (fault === 'reset' || body === undefined) {
      socket.destroy();
      return;
    }
    if (typeof fault === 'object') {
      response.writeHead(fault.status, fault.headers).end(fault.body ?? '');
      return;
    }
    const answer = take(body);
    if (fault === 'lostAnswer') socket.destroy();
    else if (fault === 'wrongJson') response.writeHead(200).end('<html>Please log in</html>');
    else response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
  }

  #call(request: IncomingMessage, body: Buffer): { status: number; body: string } {
    if (this.#o.token !== undefined && request.headers.authorization !== `Bearer ${this.#o.token}`) {
      return { status: 401, body: '{"message": "who are you?"}' };
    }
    const route = routeOf(request);
    if (route === 'artifacts') return this.#whole(request, body);
    this.#must(request.headers['content-type'] === 'application/json', `${route}: content-type`);
    const given = JSON.parse(body.toString()) as unknown;
    if (route === 'logs') return this.#logs(given as Record<string, unknown>[], body.length);
    if (route === 'presign') return this.#presign(given as Record<string, unknown>);
    if (route === 'commit') return this.#commit(given as Record<string, unknown>);
    return { status: 404, body: '{"message": "no such path"}' };
  }

  #logs(records: Record<string, unknown>[], bytes: number): { status: number; body: string } {
    this.#must(Array.isArray(records) && records.length > 0, 'logs: a JSON array');
    this.#must(records.length <= 100, `logs: ${records.length} records`);
    this.#must(bytes <= 256 * 1024, `logs: ${bytes} bytes`);
    if (records.some((record) => this.#o.isPoison?.(record))) {
      return { status: 422, body: '{"message": "a record cannot be"}' };
    }
    if (records.some((record) => this.#o.stumblesOver?.(record))) {
      return { status: 500, body: 'Internal Server Error' };
    }
    this.batches.push({ records: records.length, bytes, at: performance.now() });
    for (const record of records) {
      const id = String(record.ingest_id);
      this.#must(/^[^/]+\/[^/]+\/[^/]+\/\d+(?:-\d+)?$/.test(id), `logs: ingest_id ${id}`);
      if (!('kind' in record)) {
        const fields = Object.keys(record).sort();
        this.#must(fields.join() === VERDICT_FIELDS.join(), `logs: fields ${fields.join()}`);
        const { workstation_id, session_id, step_index, timestamp_ms } = record;
        const plain = [workstation_id, session_id, step_index, timestamp_ms].join('/');
        this.#must(id === plain || id.startsWith(`${plain}-`), `logs: ${id} is not ${plain}`);
      }
      if (this.records.has(id)) this.repeated++;
      else this.records.set(id, record);
    }
    return OK;
  }

  #presign(given: Record<string, unknown>): { status: number; body: string } {
    if (this.#o.presigns === false) return { status: 404, body: '{}' };
    const fields = Object.keys(given).sort().join();
    this.#must(fields === 'content_type,pid,session_id,size_bytes', `presign: fields ${fields}`);
    const key = `pictures/${this.#presigned.size + 1}`;
    this.#presigned.set(key, { size: Number(given.size_bytes), type: String(given.content_type) });
    const headers = { 'x-amz-meta-key': key, 'content-type': String(given.content_type) };
    return {
      status: 200,
      body: JSON.stringify({ upload_url: `${this.storageUrl}/${key}?X-Amz-Signature=abc`, key, headers }),
    };
  }

  #put(request: IncomingMessage, body: Buffer): { status: number; body: string } {
    const key = new URL(request.url ?? '', this.storageUrl).pathname.slice(1);
    const presigned = this.#presigned.get(key);
    const { headers } = request;
    this.#must(presigned !== undefined, `put: ${key} was not presigned`);
    this.#must(headers['x-amz-meta-key'] === key, 'put: the given headers');
    this.#must(headers['content-type'] === presigned?.type, 'put: content-type');
    this.#must(headers.authorization === undefined, 'put: the token came to the storage');
    this.#must(headers['transfer-encoding'] === undefined, 'put: a body in chunks');
    this.#must(body.length === presigned?.size, `put: ${body.length} bytes`);
    this.#objects.set(key, { sha256: sha256(body), bytes: body.length });
    return { status: 200, body: '' };
  }

  #commit(given: Record<string, unknown>): { status: number; body: string } {
    const fields = Object.keys(given).sort().join();
    this.#must(fields === [...ARTIFACT_FIELDS, 's3_key'].sort().join(), `commit: fields ${fields}`);
    const object = this.#objects.get(String(given.s3_key));
    this.#must(object !== undefined, 'commit: before the upload');
    this.#must(object?.bytes === given.size_bytes, 'commit: size');
    this.#keep(given, object ?? { sha256: '', bytes: 0 });
    return OK;
  }

  #whole(request: IncomingMessage, body: Buffer): { status: number; body: string } {
    const boundary = /boundary=(.+)$/.exec(request.headers['content-type'] ?? '')?.[1] ?? '';
    const text = body.toString('latin1');
    const [, first = '', second = ''] = text.split(`--${boundary}`);
    const content = (part: string) => part.slice(part.indexOf('\r\n\r\n') + 4, -2);
    const artifact = JSON.parse(Buffer.from(content(first), 'latin1').toString()) as Record<string, unknown>;
    const file = Buffer.from(content(second), 'latin1');
    this.#must(file.length === artifact.size_bytes, `artifacts: ${file.length} bytes`);
    this.#keep(artifact, { sha256: sha256(file), bytes: file.length });
    return OK;
  }

  #keep(artifact: Record<string, unknown>, object: { sha256: string; bytes: number }): void {
    const id = String(artifact.artifact_id);
    if (this.artifacts.has(id)) this.repeated++;
    else this.artifacts.set(id, { artifact, ...object });
  }

  #must(holds: boolean, rule: string): void {
    if (!holds) this.violations.push(rule);
  }
}

const OK = { status: 200, body: '{"status": "OK"}' };

function routeOf({ url = '' }: IncomingMessage): PlatformRoute {
  const routes: Record<string, PlatformRoute> = {
    '/v1/logs/batch': 'logs',
    '/v1/artifacts/presign': 'presign',
    '/v1/artifacts/commit': 'commit',
    '/v1/artifacts': 'artifacts',
  };
  return routes[url] ?? 'put';
}

/** The body; undefined where the line was cut, by us or by the other side. */
async function readBody(request: IncomingMessage, cut: boolean): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      if (cut) return undefined;
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}

async function listen(server: http.Server): Promise<number> {
  server.listen(0, 'localhost');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
