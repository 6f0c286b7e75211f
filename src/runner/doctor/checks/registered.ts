import { stat } from 'node:fs/promises';
import path from 'node:path';
import { isPackageFault } from '../../../deploy/failure.js';
import { RunnerError } from '../../../errors.js';
import { isSame, supports } from '../../../registry/mappings.js';
import { GuideFolder } from '../../../registry/guides.js';
import { checkParams } from '../../../registry/params.js';
import { policyOf } from '../../../registry/policies.js';
import { untidyFiles } from '../../../registry/published.js';
import type { RegistryContent } from '../../../registry/registry-file.js';
import { readJson } from '../../../store/atomic-file.js';
import { ageOf } from '../../../store/file-age.js';
import type { StoreLayout } from '../../../store/layout.js';
import { lockHolder } from '../../../store/lock.js';
import { namesIn } from '../../../store/names-in.js';
import { resolvePolicy, supervisorPart } from '../../../supervisor/policy.js';
import { explanationOf } from '../explain.js';
import { finding, type Finding } from '../finding.js';
import type { Examination } from './context.js';
import { repaired } from './repair.js';

/** A record from so far ahead of the clock was written by a clock that was right, or is: one of the two is not. */
const FAR_AHEAD_MS = 5 * 60_000;
/** Two clocks that are kept by NTP are closer. */
const SKEW_MS = 60_000;

/** What the registry lists, held against the disk and the clock: mappings, parameters, policies, guides, packages in `zips/`. */
export async function examineRegistered(
  examination: Examination,
  content: RegistryContent,
): Promise<Finding[]> {
  const { layout } = examination;
  return [
    ...(await examineClock(examination, content)),
    ...examineMappings(content),
    ...(await examineCopies(layout, content)),
    ...examinePolicies(content),
    ...(await examineGuides(layout)),
    ...(examination.only ? [] : await examineZips(examination)),
  ];
}

async function examineClock(
  { layout, surroundings }: Examination,
  content: RegistryContent,
): Promise<Finding[]> {
  const now = surroundings.now();
  const times = [
    ...content.packages.map(
      ({ name, version, created_at: at }) => [`${name} ${version} was deployed`, at] as const,
    ),
    ...Object.values(content.active).map(
      ({ pid, activated_at: at }) => [`${pid} was activated`, at] as const,
    ),
  ];
  const found: Finding[] = [];
  const ahead = times
    .map(([what, at]) => ({ what, at, time: Date.parse(at) }))
    .filter(({ time }) => time - now > FAR_AHEAD_MS)
    .sort((a, b) => b.time - a.time)[0];
  if (ahead) {
    const what = `The clock says ${new Date(now).toISOString()}, and ${ahead.what} at ${ahead.at}`;
    const why = 'The clock was set back, or was ahead when that was written';
    found.push(finding('clock.behind', { what, why }));
  }
  const probe = path.join(layout.root, 'registry.json');
  const [stats, age] = await Promise.all([stat(probe).catch(() => undefined), ageOf(probe)]);
  if (stats && age !== undefined) {
    const skew = stats.mtimeMs + age - now; // the time of the file system now, less that of this machine
    if (Math.abs(skew) > SKEW_MS && !ahead) {
      const what = `The file system of ${layout.root} is ${Math.round(Math.abs(skew) / 1000)} seconds ${skew > 0 ? 'ahead of' : 'behind'} this machine`;
      const why = 'The store lies on a share whose server has another time, or this clock is wrong';
      found.push(finding('clock.share', { what, why, path: layout.root }));
    }
  }
  return found;
}

function examineMappings({ packages, active }: RegistryContent): Finding[] {
  const found: Finding[] = [];
  for (const mapping of Object.values(active)) {
    const { pid, name, version, params } = mapping;
    const about = { name, version };
    const entry = packages.find((one) => isSame(one, mapping));
    if (!entry) {
      const what = `${pid} is bound to ${name} ${version}, which is not deployed`;
      const remedy = `Install ${name} ${version}, or unbind the id: procvision-runner deactivate ${pid}`;
      found.push(
        finding('mapping.undeployed', { what, why: 'Its calls end with not_found', remedy, ...about }),
      );
      continue;
    }
    if (!supports(entry, pid)) {
      const what = `${pid} is bound to ${name} ${version}, which supports ${entry.supported_pids.join(', ')}`;
      found.push(
        finding('mapping.unsupported', {
          what,
          why: 'The registry was edited, or written by another program',
          ...about,
        }),
      );
    }
    if (!params) continue;
    try {
      checkParams(entry, params);
    } catch (error) {
      const what = `Parameters that are kept for ${pid} do not fit ${name} ${version}`;
      found.push(finding('params.invalid', { what, why: (error as Error).message, ...about }));
    }
  }
  return found;
}

/** A holder of the lock may be writing them at this moment. */
async function examineCopies(layout: StoreLayout, content: RegistryContent): Promise<Finding[]> {
  const { wrong, unfinished } = await untidyFiles(layout, content.active);
  if ((wrong.length === 0 && unfinished.length === 0) || (await lockHolder(layout.lock))) return [];
  const fix = repaired(layout);
  return [
    ...wrong.map((file) =>
      finding('mapping.copy', {
        what: `${path.relative(layout.root, file)} is not what the registry says`,
        why: 'It was edited, or its writer was killed: other programs that read it see another version',
        ...{ path: file, fix },
      }),
    ),
    ...unfinished.map((file) =>
      finding('file.left', {
        what: `${file} is half written`,
        why: 'Its writer was killed',
        path: file,
        fix,
      }),
    ),
  ];
}

function examinePolicies(content: RegistryContent): Finding[] {
  const found: Finding[] = [];
  for (const { name, version } of content.packages) {
    try {
      resolvePolicy(supervisorPart(policyOf(content, { name, version }) ?? {}));
    } catch (error) {
      const what = `The policy that is kept for ${name} ${version} cannot be`;
      found.push(finding('policy.invalid', { what, why: (error as Error).message, name, version }));
    }
  }
  return found;
}

async function examineGuides(layout: StoreLayout): Promise<Finding[]> {
  const guides = new GuideFolder(layout, 'none');
  const found: Finding[] = [];
  for (const folder of await namesIn(layout.guides)) {
    for (const file of await namesIn(path.join(layout.guides, folder))) {
      const [, step] = /^(\d+)\.json$/.exec(file) ?? [];
      if (step === undefined) continue;
      const description = path.join(layout.guides, folder, file);
      try {
        const { product_id: productId } = (await readJson(description)) as { product_id?: unknown };
        if (typeof productId !== 'string') throw new TypeError('it names no product id');
        await guides.read(productId, Number(step), {});
      } catch (error) {
        const what = `The guide picture ${path.join(folder, file)} cannot be used`;
        found.push(finding('guide.damaged', { what, why: (error as Error).message, path: description }));
      }
    }
  }
  return found;
}

/** A file that is still being copied is no fault: its time tells. */
async function examineZips({ layout, validator, surroundings, signal }: Examination): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const name of (await namesIn(layout.zips)).sort()) {
    if (name.startsWith('.') || !/\.zip$/i.test(name)) continue;
    const file = path.join(layout.zips, name);
    const stats = await stat(file).catch(() => undefined);
    if (!stats?.isFile() || Math.abs(surroundings.now() - stats.ctimeMs) < SETTLE_MS) continue;
    try {
      await validator.inspect(file, { signal });
    } catch (error) {
      if (!RunnerError.is(error)) throw error;
      if (error.code === 'aborted') throw error;
      if (!isPackageFault(error) && error.code !== 'untrusted_keys') continue;
      const { remedy } = explanationOf(error);
      found.push(
        finding('zip.invalid', {
          what: `zips/${name} cannot be installed (${error.code})`,
          ...{ why: error.message, remedy: `${remedy} Or remove the file`, path: file },
        }),
      );
    }
  }
  return found;
}

const SETTLE_MS = 1_000;
