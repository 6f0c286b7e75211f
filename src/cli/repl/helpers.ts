import path from 'node:path';
import type { EnsureOptions, ImageInput, InspectCallOptions, Runner } from 'procvision-runner';

export const HELP = `packages()                    what is deployed
active()                      which version serves which product id
zips()                        what lies in zips/, and what is wrong with it
workers()                     every worker that runs
install('x.zip')              installs a zip or a project folder; { activate: true } also activates it
activate('name', '1.0.0')     lets it serve all that it supports, or the ids that follow
inspect('BOARD-7', 'x.jpg')   the verdict on a picture
health()                      whether everything that is active answers
runner, registry, deployer, supervisor, validator, venvs, frames   the classes, and everything the library exports
Tab completes commands, product ids, versions and local files. No await is needed. .exit leaves.`;

/** Short ways to what is asked for most. */
export function helpersOf(runner: Runner, cwd: string) {
  const { registry, deployer, supervisor } = runner;
  const fileOf = (file: string) => path.resolve(cwd, file);
  return {
    help: () => HELP,
    packages: async () =>
      pick(await registry.list(), ['name', 'version', 'state', 'generation', 'python_version']),
    active: async () =>
      pick(Object.values(await registry.active()), ['pid', 'name', 'version', 'activated_at']),
    zips: async () => {
      const found = (await deployer.scan()).map((zip) => ({
        ...zip,
        file: path.basename(zip.path),
        why: zip.reason?.message,
      }));
      return pick(found, ['file', 'source', 'name', 'version', 'state', 'why']);
    },
    workers: () => {
      const rows = supervisor
        .status()
        .flatMap(({ name, version, workers }) =>
          workers.map(({ latency, ...worker }) => ({ name, version, ...worker, p50Ms: latency.p50Ms })),
        );
      return pick(rows, [
        ...(['name', 'version', 'worker', 'state', 'pid', 'uptimeMs', 'restarts', 'calls', 'p50Ms'] as const),
      ]);
    },
    install: (file: string, o?: EnsureOptions) => runner.ensureInstalled(fileOf(file), o),
    activate: async (name: string, version: string, ...ids: string[]) => {
      const productIds = ids.length > 0 ? ids : ((await registry.get(name, version))?.supported_pids ?? []);
      return registry.activate({ name, version, productIds });
    },
    inspect: (productId: string, image: ImageInput | string, o?: InspectCallOptions) =>
      runner.inspect(productId, typeof image === 'string' ? fileOf(image) : image, o),
    health: () => runner.health(),
  };
}

function pick<T extends object>(rows: T[], columns: (keyof T & string)[]): Partial<T>[] {
  return rows.map((row) => Object.fromEntries(columns.map((column) => [column, row[column]])) as Partial<T>);
}
