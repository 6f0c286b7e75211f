/**
 * A Node REPL with a runner composed: `npm run repl -- [folder of the store]`.
 *
 *   > await packages()                       what is deployed, as a table
 *   > await deployer.install('x.zip')        every class of the library is there, with `await` and completion
 */
import repl from 'node:repl';
import { Console } from 'node:console';
import * as library from 'procvision-runner';

const { AlgorithmSupervisor, Deployer, PackageValidator, Registry, VenvManager } = library;

const root = process.argv[2] ?? 'station';
const venvs = new VenvManager();
const validator = new PackageValidator({ venvs });
const registry = await Registry.open(root);
const deployer = new Deployer({ registry, venvs, validator });
const supervisor = new AlgorithmSupervisor({ registry });

const tables = new Console(process.stdout);
const table = (rows: object[], columns: string[]): void => {
  if (rows.length === 0) tables.log('nothing');
  else tables.table(rows, columns);
};

/** Tables for people; the objects themselves are on `registry`, `deployer` and `supervisor`. */
const commands = {
  packages: async () => {
    table(await registry.list(), ['name', 'version', 'state', 'generation', 'python_version']);
  },
  active: async () => {
    table(Object.values(await registry.active()), ['pid', 'name', 'version', 'activated_at']);
  },
  zips: async () => {
    table(await deployer.scan(), ['name', 'version', 'state', 'reason']);
  },
  workers: () => {
    const rows = supervisor
      .status()
      .flatMap(({ name, version, workers }) => workers.map((worker) => ({ name, version, ...worker })));
    table(rows, ['name', 'version', 'state', 'pid', 'uptimeMs', 'restarts', 'inFlight']);
  },
};

process.stdout.write(`The store is ${registry.layout.root}. Try: ${Object.keys(commands).join('(), ')}()\n`);
const session = repl.start({ prompt: 'runner> ' });
Object.assign(session.context, library, { venvs, validator, registry, deployer, supervisor }, commands);
session.once('exit', () => {
  void supervisor
    .close()
    .then(() => deployer.close())
    .then(() => registry.close());
});
