import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { AlgorithmSupervisor, Deployer, PackageValidator, Registry } from '../../src/index.js';
import { hasAdapter } from '../../src/package/sdk.js';
import { buildPackage } from '../../src/testing/index.js';

/** Deploys a package with this release of the SDK, and has it answer a call by each kind of worker. */
export async function sdkCalls(version: string, wheels: string): Promise<{ what: string; fault?: string }[]> {
  const root = await mkdtemp(path.join(os.tmpdir(), 'pv-sdk-'));
  const answers: { what: string; fault?: string }[] = [];
  try {
    const generation = version.startsWith('0.3') ? 'execute-only' : 'phased';
    const files = (await readdir(wheels)).filter((file) => file.endsWith('.whl'));
    const sdk = await Promise.all(
      files.map(async (file) => ({ file, bytes: await readFile(path.join(wheels, file)) })),
    );
    const zip = path.join(root, 'sample.zip');
    await writeFile(zip, await buildPackage({ generation, sdk, stored: true }));
    const { warnings } = await new PackageValidator({ smoke: false }).inspect(zip);
    const isWarned = warnings.some((warning) => warning.includes('has no adapter'));
    answers.push({
      what: `SDK ${version}: ${hasAdapter(version) ? 'no warning' : 'a warning that it has no adapter'}`,
      ...(isWarned === hasAdapter(version) && { fault: warnings.join('; ') || 'there is none' }),
    });
    await using registry = await Registry.open(path.join(root, 'store'), { durability: 'none' });
    await using deployer = new Deployer({ registry });
    await deployer.install(zip);
    for (const worker of ['sdk', 'bundled'] as const) {
      await using supervisor = new AlgorithmSupervisor({ registry, worker });
      const image = { data: new Uint8Array(12), width: 2, height: 2 };
      const target = { name: 'sample', version: '1.0.0' };
      const call = supervisor
        .start(target.name, target.version)
        .then(() =>
          supervisor.execute({
            target,
            stepIndex: 1,
            image,
            ...(generation === 'execute-only' && { guideImage: image }),
          }),
        )
        .then(
          ({ data }) => (data.result_status === 'OK' ? undefined : JSON.stringify(data)),
          (error: unknown) => (error as Error).message.slice(0, 300),
        );
      const fault = await call;
      const isMeant = worker === 'bundled' || hasAdapter(version);
      answers.push({
        what: `SDK ${version}, worker ${worker}: ${isMeant ? 'answers' : 'cannot start, as the warning says'}`,
        ...((fault === undefined) !== isMeant && { fault: fault ?? 'it answers' }),
      });
    }
  } catch (error) {
    answers.push({ what: `SDK ${version}`, fault: (error as Error).message });
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  }
  return answers;
}
