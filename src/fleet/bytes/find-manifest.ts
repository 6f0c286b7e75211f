import type { OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { checkSignatureOf } from '../../package/integrity/check-integrity.js';
import type { IntegrityPolicy } from '../../package/integrity.js';
import type { ArchiveLimits } from '../../package/types.js';
import type { WantedPackage } from '../ports.js';
import {
  manifestBytesAtMost,
  ManifestMismatch,
  parseManifest,
  type ContentManifest,
} from './content-manifest.js';
import type { KnownPackage } from './content-store.js';
import { partialManifest } from './partial-package.js';
import { SourceFault } from './source.js';
import type { Sources } from './sources.js';

interface FindOptions extends OperationOptions {
  known: readonly KnownPackage[];
  /** Of an earlier fetch of the same package. */
  folder: string;
  sources: Sources;
  integrity: IntegrityPolicy | undefined;
  limits: Partial<ArchiveLimits> | undefined;
}

/**
 * The manifest of a package: of this station, else of the first source that has it. Its digest is proof of it. The signature is no part of
 * the digest: a manifest whose signature the policy refuses is passed over.
 *
 * @throws RunnerError `invalid_zip` for a package that cannot be, or that nobody gives with a signature of a known key
 */
export async function findManifest(
  wanted: WantedPackage,
  o: FindOptions,
): Promise<{ manifest: ContentManifest; fetchedBytes: number }> {
  let refusal: RunnerError | undefined;
  const isTrusted = async (manifest: ContentManifest): Promise<boolean> => {
    try {
      await checkTrust(manifest, wanted, o.integrity);
      return true;
    } catch (error) {
      if (!RunnerError.is(error, 'invalid_zip')) throw error;
      refusal = error;
      return false;
    }
  };
  const here = [
    await keptOf(wanted.digest, o),
    ...o.known.filter(({ manifest }) => manifest.digest === wanted.digest).map(({ manifest }) => manifest),
  ];
  for (const manifest of here) {
    if (manifest && (await isTrusted(manifest))) return { manifest, fetchedBytes: 0 };
  }
  let fetchedBytes = 0;
  try {
    const manifest = await o.sources.first(
      'the manifest',
      async (source) => {
        const most = manifestBytesAtMost(o.limits);
        const text = await source.getWhole(`packages/${wanted.digest}`, { most, signal: o.signal });
        fetchedBytes += text.length;
        const found = parsed(text, wanted.digest, o.limits);
        if (!(await isTrusted(found)))
          throw new SourceFault(
            'wrong',
            `has it without a signature that is known: ${refusal?.message ?? ''}`,
          );
        return found;
      },
      o,
    );
    return { manifest, fetchedBytes };
  } catch (error) {
    // Somebody has it, and its signature is the fault: that is what is to be told, not that the rest has nothing.
    if (refusal && RunnerError.is(error, 'digest_mismatch')) throw refusal;
    throw error;
  }
}

function parsed(text: Buffer, digest: string, limits: Partial<ArchiveLimits> | undefined): ContentManifest {
  try {
    return parseManifest(text, digest, limits);
  } catch (error) {
    throw error instanceof ManifestMismatch
      ? new SourceFault('wrong', error.message, { cause: error })
      : error;
  }
}

async function keptOf(digest: string, { folder, limits }: FindOptions): Promise<ContentManifest | undefined> {
  try {
    return parseManifest(await partialManifest(folder), digest, limits);
  } catch {
    return undefined; // none, or damaged: it is asked for
  }
}

async function checkTrust(
  manifest: ContentManifest,
  wanted: WantedPackage,
  integrity: IntegrityPolicy | undefined,
): Promise<void> {
  if (integrity?.mode !== 'strict') return;
  await checkSignatureOf(
    {
      path: `${wanted.name} ${wanted.version}`,
      signature: () => Promise.resolve(manifest.signature ?? 'missing'),
      digest: () => Promise.resolve(manifest.digest),
    },
    integrity,
    { package: wanted },
  );
}
