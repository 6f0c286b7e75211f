import type * as Sdk from '@aws-sdk/client-s3';
import { requirePeer } from '../../../assets.js';
import { abortError } from '../../../abort.js';
import { RunnerError } from '../../../errors.js';
import { nodeCrypto } from '../../../node-crypto.js';
import { artifactName, batchName, pictureName } from './layout.js';
import {
  aboutOf,
  linesOf,
  piecesOf,
  PLATFORM_LIMITS,
  TAKEN,
  type Attempt,
  type DeliveryTarget,
  type OutgoingPicture,
  type OutgoingRecord,
  type Outcome,
} from './port.js';

/** A bucket of S3, MinIO or another storage of that kind. The optional peer `@aws-sdk/client-s3` is needed. */
export interface S3TargetOptions {
  bucket: string;
  /** Address of the storage. @defaultValue that of AWS for the region */
  endpoint?: string;
  /** @defaultValue 'us-east-1' */
  region?: string;
  /** What stands before each key: `plant-3/`. @defaultValue none */
  prefix?: string;
  /** @defaultValue where the SDK looks: environment, files of the user, role of the machine */
  accessKeyId?: string;
  secretAccessKey?: string;
  /** The bucket stands in the path, not in the name of the host: MinIO needs it. @defaultValue true with `endpoint` */
  pathStyle?: boolean;
  /** A picture that is larger goes in parts of this length, in bytes. @defaultValue 8 MiB */
  partBytes?: number;
}

/** The least that S3 takes for a part but the last. */
export const LEAST_PART_BYTES = 5 * 2 ** 20;
const DEFAULT_PART_BYTES = 8 * 2 ** 20;
const CREDENTIALS =
  /AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|CredentialsProviderError|InvalidToken/;
const OF_THE_BYTES = /EntityTooLarge|InvalidArgument|KeyTooLongError|MetadataTooLarge/;

/**
 * Records as objects of JSON lines, a batch each, by the first record of it; pictures as objects, then what they are. Each object, and
 * each part of a large one, goes with its SHA-256: the storage refuses what came otherwise.
 */
export class S3Bucket implements DeliveryTarget {
  readonly title: string;
  readonly limits = { ...PLATFORM_LIMITS, records: 1_000 };
  readonly #o: S3TargetOptions;
  readonly #sdk: typeof Sdk;
  readonly #client: Sdk.S3Client;

  /** @throws RunnerError `invalid_params` where the optional peer is not installed */
  constructor(o: S3TargetOptions, load?: (name: string) => unknown) {
    this.#o = o;
    this.title = `${o.endpoint ?? 's3:/'}/${o.bucket}/${o.prefix ?? ''}`;
    this.#sdk = requirePeer('outbox delivery to S3', '@aws-sdk/client-s3', { load }) as typeof Sdk;
    const { endpoint, region = 'us-east-1', accessKeyId, secretAccessKey } = o;
    this.#client = new this.#sdk.S3Client({
      region,
      ...(endpoint !== undefined && { endpoint }),
      forcePathStyle: o.pathStyle ?? endpoint !== undefined,
      // Delivery itself tries again, with its own delays.
      maxAttempts: 1,
      ...(accessKeyId !== undefined &&
        secretAccessKey !== undefined && { credentials: { accessKeyId, secretAccessKey } }),
    });
  }

  async sendRecords(records: readonly OutgoingRecord[], attempt: Attempt): Promise<Outcome> {
    return this.#outcome(attempt, async () => {
      await this.#put(batchName(records), linesOf(records), 'application/x-ndjson', attempt);
    });
  }

  async sendPicture(picture: OutgoingPicture, attempt: Attempt): Promise<Outcome> {
    const { artifact } = picture;
    return this.#outcome(attempt, async () => {
      const name = pictureName(artifact);
      const { partBytes = DEFAULT_PART_BYTES } = this.#o;
      if (artifact.size_bytes > partBytes) await this.#putInParts(name, picture, partBytes, attempt);
      else {
        const pieces: Uint8Array[] = [];
        for await (const piece of picture.open()) pieces.push(piece);
        await this.#put(name, Buffer.concat(pieces), artifact.content_type, attempt);
      }
      const index = Buffer.from(JSON.stringify({ ...aboutOf(picture), file: name }));
      await this.#put(artifactName(artifact), index, 'application/json', attempt);
    });
  }

  close(): Promise<void> {
    this.#client.destroy();
    return Promise.resolve();
  }

  #key(name: string): { Bucket: string; Key: string } {
    return { Bucket: this.#o.bucket, Key: `${this.#o.prefix ?? ''}${name}` };
  }

  async #put(name: string, body: Uint8Array, type: string, attempt: Attempt): Promise<void> {
    await attempt.pace(body.length);
    const command = new this.#sdk.PutObjectCommand({
      ...this.#key(name),
      Body: body,
      ContentType: type,
      ChecksumSHA256: sha256Of(body),
    });
    await this.#client.send(command, { abortSignal: attempt.signal });
  }

  /** In parts, each with its digest; the storage makes one object of them at the end. What fails is taken back. */
  async #putInParts(
    name: string,
    picture: OutgoingPicture,
    partBytes: number,
    attempt: Attempt,
  ): Promise<void> {
    const { signal: abortSignal } = attempt;
    const key = this.#key(name);
    const begin = new this.#sdk.CreateMultipartUploadCommand({
      ...key,
      ContentType: picture.artifact.content_type,
      ChecksumAlgorithm: 'SHA256',
    });
    const { UploadId } = await this.#client.send(begin, { abortSignal });
    const Parts: Sdk.CompletedPart[] = [];
    try {
      for await (const piece of piecesOf(picture.open(), partBytes)) {
        await attempt.pace(piece.length);
        const part = { PartNumber: Parts.length + 1, ChecksumSHA256: sha256Of(piece) };
        const upload = new this.#sdk.UploadPartCommand({ ...key, ...part, UploadId, Body: piece });
        const { ETag } = await this.#client.send(upload, { abortSignal });
        Parts.push({ ...part, ETag });
      }
      const finish = new this.#sdk.CompleteMultipartUploadCommand({
        ...key,
        UploadId,
        MultipartUpload: { Parts },
      });
      await this.#client.send(finish, { abortSignal });
    } catch (error) {
      // Parts that no object has are stored, and paid for, until somebody removes them.
      const abort = new this.#sdk.AbortMultipartUploadCommand({ ...key, UploadId });
      await this.#client.send(abort, { abortSignal: AbortSignal.timeout(5_000) }).catch(() => undefined);
      throw error;
    }
  }

  async #outcome({ signal }: Attempt, work: () => Promise<void>): Promise<Outcome> {
    try {
      await work();
      return TAKEN;
    } catch (error) {
      return meaningOf(signal.aborted ? abortError(signal, 'upload') : error, this.title);
    }
  }
}

function meaningOf(error: unknown, title: string): Outcome {
  const { name, message, $metadata, $response } = error as Error & {
    $metadata?: { httpStatusCode?: number };
    $response?: { headers?: Record<string, string> };
  };
  const reason = `${title}: ${name}: ${message}`;
  if (RunnerError.is(error, 'aborted')) {
    return { state: 'failed', cause: 'network', reason: `${title} did not answer in time` };
  }
  const status = $metadata?.httpStatusCode;
  if (OF_THE_BYTES.test(name)) return { state: 'refused', reason };
  if (CREDENTIALS.test(name) || status === 401 || status === 403) {
    return { state: 'failed', cause: 'credentials', reason };
  }
  if (status === undefined) return { state: 'failed', cause: 'network', reason };
  const seconds = Number($response?.headers?.['retry-after']);
  return {
    state: 'failed',
    cause: 'platform',
    reason,
    ...(Number.isFinite(seconds) && { retryAfterMs: seconds * 1_000 }),
  };
}

function sha256Of(bytes: Uint8Array): string {
  return nodeCrypto().createHash('sha256').update(bytes).digest('base64');
}
