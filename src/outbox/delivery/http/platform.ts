import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import * as v from 'valibot';
import { RunnerError } from '../../../errors.js';
import { nodeCrypto } from '../../../node-crypto.js';
import {
  arrayOf,
  PLATFORM_LIMITS,
  type Attempt,
  type DeliveryTarget,
  type OutgoingPicture,
  type OutgoingRecord,
  type Outcome,
} from '../targets/port.js';
import { readTls, type TlsFiles } from '../targets/tls-files.js';
import { failed, outcomeOf, parsed, refusalOf, refusalOfStorage } from './answers.js';
import { bodyOf, HttpClient, type HttpAnswer, type HttpRequest } from './client.js';
import { failureOf } from './failures.js';

/** The platform over HTTP. */
export interface HttpTargetOptions {
  /** What stands before `/v1/…`: `https://platform.example/api`. Plain HTTP is for this machine alone, or with `allowPlainHttp`. */
  url: string;
  /** Sent as `Authorization: Bearer`, to the platform alone, never to the storage. @defaultValue none */
  token?: string;
  /** File with the token, read for each request: a new token is in force at once. @defaultValue none */
  tokenFile?: string;
  /** Certificates, as files of PEM. @defaultValue those that Node trusts, and no client certificate */
  tls?: TlsFiles;
  /** Takes `http:` addresses of other machines. @defaultValue false */
  allowPlainHttp?: boolean;
  /**
   * How pictures go: straight to the storage by a presigned address, through the API itself, or straight and, where the platform presigns
   * nothing or its storage cannot be reached from here, through the API. @defaultValue 'either'
   */
  pictures?: 'presigned' | 'api' | 'either';
}

const PRESIGNED = v.object({
  upload_url: v.pipe(v.string(), v.url()),
  key: v.pipe(v.string(), v.nonEmpty()),
  headers: v.optional(v.record(v.string(), v.string()), {}),
});

/** Answers of a platform that presigns nothing. */
const NO_PRESIGNING = new Set([404, 405, 501]);

/** Records as `POST /v1/logs/batch`, pictures by presign, PUT and commit, or as `POST /v1/artifacts`. */
export class HttpPlatform implements DeliveryTarget {
  readonly title: string;
  readonly limits = PLATFORM_LIMITS;
  readonly #o: HttpTargetOptions;
  readonly #base: string;
  #client: Promise<HttpClient> | undefined;

  /** @throws RunnerError `invalid_params` for an address that cannot be used */
  constructor(o: HttpTargetOptions) {
    const url = addressOf(o);
    this.#o = o;
    this.#base = url.href.replace(/\/+$/, '');
    this.title = this.#base;
  }

  async sendRecords(records: readonly OutgoingRecord[], attempt: Attempt): Promise<Outcome> {
    const answer = await this.#call('/v1/logs/batch', arrayOf(records), attempt);
    if ('state' in answer) return answer;
    const outcome = outcomeOf(answer, 'POST /v1/logs/batch');
    // Gateways and limits have codes of their own (502 to 504, 429): this one is of the program that read the records.
    return outcome.state === 'failed' && answer.status === 500
      ? { ...outcome, mayBeOfARecord: true }
      : outcome;
  }

  async sendPicture(picture: OutgoingPicture, attempt: Attempt): Promise<Outcome> {
    const { pictures: way = 'either' } = this.#o;
    if (way === 'api') return this.#throughApi(picture, attempt);
    const { outcome, isUnreachable } = await this.#presigned(picture, attempt);
    if (way === 'either' && isUnreachable && !attempt.signal.aborted)
      return this.#throughApi(picture, attempt);
    return outcome;
  }

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    client?.close();
  }

  /** Presign, PUT, and the commit after the upload alone. `isUnreachable` says that the way itself is not there. */
  async #presigned(
    picture: OutgoingPicture,
    attempt: Attempt,
  ): Promise<{ outcome: Outcome; isUnreachable?: boolean }> {
    const { artifact } = picture;
    const { content_type, size_bytes, session_id, pid } = artifact;
    const asked = await this.#call(
      '/v1/artifacts/presign',
      json({ content_type, size_bytes, session_id, pid }),
      attempt,
    );
    if ('state' in asked) return { outcome: asked };
    const refusal = refusalOf(asked, 'POST /v1/artifacts/presign');
    if (refusal) return { outcome: refusal, isUnreachable: NO_PRESIGNING.has(asked.status) };
    const { success, output } = v.safeParse(PRESIGNED, parsed(asked.body));
    if (!success)
      return { outcome: failed('POST /v1/artifacts/presign: the answer has no upload_url and key') };
    const url = new URL(output.upload_url);
    if (url.protocol !== 'https:' && !this.#allowsPlain(url)) {
      const reason = `The platform presigned ${url.origin}, which is no https: address: it must presign https:, or set allowPlainHttp`;
      return { outcome: failed(reason), isUnreachable: true };
    }
    const body = { bytes: size_bytes, open: () => picture.open() };
    const headers = { 'content-type': content_type, ...lowerCase(output.headers) };
    // The storage is not the platform: it gets the headers that were given, and no token.
    const stored = await this.#send({ method: 'PUT', url, headers, body }, `PUT to ${url.host}`, attempt);
    if ('state' in stored) return { outcome: stored, isUnreachable: true };
    const refused = refusalOfStorage(stored, `PUT to ${url.host}`);
    if (refused) return { outcome: refused };
    const commit = json({ ...artifact, s3_key: output.key });
    const committed = await this.#call('/v1/artifacts/commit', commit, attempt);
    return { outcome: 'state' in committed ? committed : outcomeOf(committed, 'POST /v1/artifacts/commit') };
  }

  /** One request of `multipart/form-data`: what the picture is, then its bytes. */
  async #throughApi(picture: OutgoingPicture, attempt: Attempt): Promise<Outcome> {
    const { artifact } = picture;
    const boundary = `procvision-${nodeCrypto().randomUUID()}`;
    const part = (name: string, type: string) =>
      `--${boundary}\r\ncontent-disposition: form-data; ${name}\r\ncontent-type: ${type}\r\n\r\n`;
    const head = Buffer.from(
      `${part('name="artifact"', 'application/json')}${JSON.stringify(artifact)}\r\n` +
        part(`name="file"; filename="picture"`, artifact.content_type),
    );
    const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
    const body = {
      bytes: head.length + artifact.size_bytes + tail.length,
      open: () => Readable.from(joined([head], picture.open(), [tail])),
    };
    const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
    const answer = await this.#post('/v1/artifacts', headers, body, attempt);
    return 'state' in answer ? answer : outcomeOf(answer, 'POST /v1/artifacts');
  }

  #call(path: string, body: Uint8Array, attempt: Attempt): Promise<HttpAnswer | Outcome> {
    return this.#post(path, { 'content-type': 'application/json' }, bodyOf(body), attempt);
  }

  async #post(
    path: string,
    headers: Record<string, string>,
    body: HttpRequest['body'],
    attempt: Attempt,
  ): Promise<HttpAnswer | Outcome> {
    const url = new URL(this.#base + path);
    let token: string | undefined;
    try {
      token = await this.#token();
    } catch (error) {
      return { state: 'failed', cause: 'credentials', reason: (error as Error).message };
    }
    const all = {
      ...headers,
      accept: 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
    return this.#send({ method: 'POST', url, headers: all, body }, `POST ${path}`, attempt);
  }

  async #send(request: HttpRequest, what: string, attempt: Attempt): Promise<HttpAnswer | Outcome> {
    try {
      const client = await (this.#client ??= this.#connect());
      return await client.send(request, attempt);
    } catch (error) {
      const outcome = failureOf(error, what);
      // Renewed certificates are read at the next attempt.
      if (outcome.state === 'failed' && outcome.cause === 'credentials') await this.#forget();
      return outcome;
    }
  }

  async #connect(): Promise<HttpClient> {
    return new HttpClient(await readTls(this.#o.tls));
  }

  async #forget(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    (await client?.catch(() => undefined))?.close();
  }

  async #token(): Promise<string | undefined> {
    const { token, tokenFile } = this.#o;
    if (tokenFile === undefined) return token;
    const text = await readFile(tokenFile, 'utf8').catch((error: unknown) => {
      throw new Error(`The token file ${tokenFile} cannot be read: ${(error as Error).message}`);
    });
    return text.trim();
  }

  #allowsPlain(url: URL): boolean {
    return this.#o.allowPlainHttp === true || isThisMachine(url);
  }
}

function addressOf({ url: given, allowPlainHttp }: HttpTargetOptions): URL {
  const wrong = (fault: string) =>
    new RunnerError('invalid_params', `outbox delivery: http.url ${fault}`, {
      details: { path: 'http.url' },
    });
  if (!URL.canParse(given)) throw wrong('must be an address such as https://platform.example');
  const url = new URL(given);
  if (url.username !== '' || url.password !== '')
    throw wrong('must have no password: give token or tokenFile');
  if (url.search !== '' || url.hash !== '')
    throw wrong('must end with its path: leave out what comes after it');
  if (url.protocol === 'https:') return url;
  if (url.protocol !== 'http:') throw wrong('must begin with https:');
  if (allowPlainHttp === true || isThisMachine(url)) return url;
  throw wrong('must begin with https:, or set allowPlainHttp where the line itself is private');
}

function isThisMachine({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d+){3}$/.test(hostname);
}

function json(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

async function* joined(
  ...sources: (Iterable<Uint8Array> | AsyncIterable<Uint8Array>)[]
): AsyncGenerator<Uint8Array> {
  for (const source of sources) yield* source;
}
