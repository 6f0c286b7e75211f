/**
 * Holds the API reports of `etc/` against the declarations of `build/types`, all entries in one program: `npm run api:check`.
 *
 *     tsx scripts/api-reports.ts [--local]
 *
 * A report that has changed makes the exit code 1. `--local` writes it instead: `npm run api:update`.
 */
import { CompilerState, Extractor, ExtractorConfig } from '@microsoft/api-extractor';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const localBuild = process.argv.includes('--local');

const ofEntries = readdirSync(path.join(ROOT, 'etc')).filter((file) =>
  /^api-extractor\..+\.json$/.test(file),
);
const [main, ...others] = [
  'api-extractor.json',
  ...ofEntries.sort().map((file) => path.join('etc', file)),
].map((file) => ExtractorConfig.loadFileAndPrepare(path.join(ROOT, file)));
if (!main) throw new Error('there is no report of the main entry');
const compilerState = CompilerState.create(main, {
  additionalEntryPoints: others.map(({ mainEntryPointFilePath }) => mainEntryPointFilePath),
});
for (const config of [main, ...others]) {
  const { succeeded } = Extractor.invoke(config, { compilerState, localBuild });
  console.log(
    `${succeeded ? 'in order:' : 'CHANGED or refused:'} ${path.relative(ROOT, config.mainEntryPointFilePath)}`,
  );
  if (!succeeded) process.exitCode = 1;
}
