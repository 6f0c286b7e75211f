/**
 * Installs the packed tarball as users do, and goes from a zip to a verdict with each package manager and each runtime that npm
 * has: `npm run test:runtimes [-- part of a title …]`. Needs the build in `dist/` and a registry; what cannot be had is
 * reported with its reason. Ends with a table of all; the exit code is 1 when one that could be had failed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../', import.meta.url));
/** Runtimes and package managers stay there for the next time. */
const tools = path.join(repository, 'build/runtimes');
const folder = mkdtempSync(path.join(os.tmpdir(), 'pv runtimes é '));
const isWindows = process.platform === 'win32';
const system = isWindows ? 'win' : process.platform;
const NODES = (process.env.NODES ?? '20.4.0,20,21,22,23,24,25,26').split(',');
const LONGEST_MS = 300_000;

interface Outcome {
  title: string;
  result: 'works' | 'fails' | 'cannot be had';
  why: string;
}

/** A failed step, in one line. */
class Failure extends Error {}

function run(
  command: string,
  args: string[],
  cwd: string,
  o: { input?: string; env?: NodeJS.ProcessEnv } = {},
): string {
  const env = { ...process.env, ...o.env };
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, {
    ...{ cwd, env, input: o.input, encoding: 'utf8', timeout: LONGEST_MS, shell: isWindows },
  });
  if (error) throw new Failure(`${path.basename(command)}: ${error.message}`);
  if (status === 0) return stdout;
  const said = (stderr + stdout).trim().split('\n').slice(-3).join(' | ');
  throw new Failure(`${args.slice(-3).join(' ')} ended with ${signal ?? status}: ${said}`);
}

/** A package of npm in a folder of its own; gives that folder. */
function tool(name: string, spec: string): string {
  const place = path.join(tools, name);
  if (existsSync(path.join(place, 'node_modules'))) return place;
  mkdirSync(place, { recursive: true });
  writeFileSync(path.join(place, 'package.json'), '{ "private": true }\n');
  // No scripts: they would fetch binaries from elsewhere. The packages have them as optional dependencies.
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', spec], place);
  return place;
}

/** The file of that name below a folder of packages. */
function binary(place: string, scope: string, name: string): string {
  const packages = path.join(place, 'node_modules', scope);
  const found = readdirSync(packages)
    .flatMap((one) => [path.join(packages, one, name), path.join(packages, one, 'bin', name)])
    .find((file) => existsSync(isWindows ? `${file}.exe` : file));
  if (found === undefined) throw new Failure(`${scope} has no ${name} for ${system} ${process.arch}`);
  return found;
}

/** From the installed package to a verdict by command line, by an import, over HTTP, and in a REPL. */
async function tryOut(project: string, runtime: string, flags: string[]): Promise<string> {
  const program = path.join('node_modules', 'procvision-runner', 'dist', 'cli', 'bin.cjs');
  const command = (...args: string[]) => run(runtime, [...flags, program, ...args], project);
  const startedAt = performance.now();
  command('quickstart');
  const store = ['--root', path.join('.quickstart', 'store')];
  command('activate', 'board-check', '1.0.0', ...store);
  const picture = path.join('.quickstart', 'pictures', 'missing-part.png');
  const verdicts = JSON.parse(command('run', 'BOARD-7', picture, '--json', ...store)) as {
    result: unknown;
  }[];
  expectNg(verdicts[0]?.result);
  command('start', '--once', ...store);
  command('verify', ...store);
  writeFileSync(path.join(project, 'host.mjs'), HOST);
  expectNg(
    JSON.parse(run(runtime, [...flags, 'host.mjs', path.join('.quickstart', 'store'), picture], project)),
  );
  await serve(project, runtime, [...flags, program, 'serve', '--port', '0', '--json', ...store]);
  const said = run(runtime, [...flags, program, 'repl', ...store], project, { input: 'health()\n' });
  if (!said.includes('live: true')) throw new Failure(`repl said ${said.trim()}`);
  return `${((performance.now() - startedAt) / 1_000).toFixed(1)} s`;
}

/** What a host does, in a file that every runtime takes. */
const HOST = `import { openRunner } from 'procvision-runner';
const [root, picture] = process.argv.slice(2);
const runner = await openRunner(root);
console.log(JSON.stringify(await runner.inspect('BOARD-7', picture)));
await runner.close();
`;

function expectNg(result: unknown): void {
  const { data } = result as { data?: { result_status?: string } };
  if (data?.result_status !== 'NG')
    throw new Failure(`the verdict is ${JSON.stringify(result).slice(0, 200)}`);
}

/** Starts the server, asks whether it is ready, and ends it as a service manager does. */
async function serve(cwd: string, runtime: string, args: string[]): Promise<void> {
  const child = spawn(runtime, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const limit = setTimeout(() => child.kill('SIGKILL'), LONGEST_MS);
  const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  let url = '';
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const event = JSON.parse(line) as { event: string; url: string };
      if (event.event === 'listening') url = event.url;
      if (event.event !== 'ready') continue;
      const { status } = await fetch(`${url}/health/ready`);
      if (status !== 200) throw new Failure(`serve answers ${status} to /health/ready`);
      child.kill('SIGTERM');
    }
    const [code, signal] = await ended;
    if (code !== 0 && !isWindows)
      throw new Failure(`serve ended with ${code ?? signal}: ${stderr.trim().slice(-300)}`);
  } finally {
    clearTimeout(limit);
    child.kill('SIGKILL');
  }
}

/** A project that has installed the tarball by one of the package managers. */
function projectOf(name: string, install: (project: string) => void): string {
  const project = path.join(folder, name);
  mkdirSync(project, { recursive: true });
  writeFileSync(path.join(project, 'package.json'), '{ "name": "scratch", "private": true }\n');
  install(project);
  return project;
}

const tarball = path.join(
  folder,
  run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], repository)
    .trim()
    .split('\n')
    .at(-1) ?? '',
);

/** Package managers, each with the Node of this process. */
const MANAGERS: Record<string, (project: string) => void> = {
  npm: (project) => void run('npm', ['install', '--no-audit', '--no-fund', tarball], project),
  pnpm: (project) => {
    const cli = path.join(tool('pnpm', 'pnpm'), 'node_modules/.bin/pnpm');
    run(cli, ['add', '--store-dir', path.join(folder, 'pnpm-store'), tarball], project);
  },
  'yarn 1': (project) => {
    const cli = path.join(tool('yarn-1', 'yarn@1'), 'node_modules/.bin/yarn');
    run(cli, ['add', '--cache-folder', path.join(folder, 'yarn-cache'), `file:${tarball}`], project);
  },
  'yarn 4': (project) => {
    const cli = path.join(
      tool('yarn-4', '@yarnpkg/cli-dist@4'),
      'node_modules/@yarnpkg/cli-dist/bin/yarn.js',
    );
    const registry = run('npm', ['config', 'get', 'registry'], project).trim();
    writeFileSync(
      path.join(project, '.yarnrc.yml'),
      `nodeLinker: node-modules\nenableTelemetry: false\nenableGlobalCache: false\nnpmRegistryServer: ${registry}\n${
        registry.startsWith('http:') ? `unsafeHttpWhitelist: ["${new URL(registry).hostname}"]\n` : ''
      }`,
    );
    writeFileSync(path.join(project, 'yarn.lock'), '');
    run(process.execPath, [cli, 'add', `procvision-runner@file:${tarball}`], project, {
      env: { YARN_ENABLE_IMMUTABLE_INSTALLS: 'false' },
    });
  },
  bun: (project) => void run(bun(), ['add', tarball], project),
};

function bun(): string {
  return binary(tool('bun', 'bun'), '@oven', 'bun');
}

/** Runtimes, each on the project that npm has installed. */
const RUNTIMES: Record<string, () => { runtime: string; flags: string[] }> = {
  ...Object.fromEntries(
    NODES.map((release) => [
      `Node ${release}`,
      () => {
        const name = `node${release}`;
        const place = tool(name, `${name}@npm:node-${system}-${process.arch}@${release}`);
        return {
          runtime: path.join(place, 'node_modules', name, 'bin', isWindows ? 'node.exe' : 'node'),
          flags: [],
        };
      },
    ]),
  ),
  Bun: () => ({ runtime: bun(), flags: [] }),
  Deno: () => ({ runtime: binary(tool('deno', 'deno'), '@deno', 'deno'), flags: ['run', '--allow-all'] }),
};

async function main(): Promise<void> {
  const asked = process.argv.slice(2).map((word) => word.toLowerCase());
  const isAsked = (title: string) =>
    asked.length === 0 || asked.some((word) => title.toLowerCase().includes(word));
  const outcomes: Outcome[] = [];
  const attempt = async (title: string, obtain: () => () => Promise<string>) => {
    if (!isAsked(title)) return;
    let work: () => Promise<string>;
    try {
      work = obtain();
    } catch (error) {
      outcomes.push({ title, result: 'cannot be had', why: (error as Error).message });
      console.log(`${title}: cannot be had`);
      return;
    }
    const outcome = await work().then(
      (why): Outcome => ({ title, result: 'works', why }),
      (error: unknown): Outcome => ({ title, result: 'fails', why: (error as Error).message }),
    );
    outcomes.push(outcome);
    console.log(`${title}: ${outcome.result}, ${outcome.why}`);
  };
  for (const [name, install] of Object.entries(MANAGERS)) {
    await attempt(`installed by ${name}`, () => {
      const project = projectOf(name, install);
      return () => tryOut(project, process.execPath, []);
    });
  }
  const names = Object.keys(RUNTIMES).filter((name) => isAsked(`on ${name}`));
  const npm = MANAGERS.npm;
  if (npm) {
    for (const name of names) {
      await attempt(`on ${name}`, () => {
        const { runtime, flags } = RUNTIMES[name]?.() ?? { runtime: '', flags: [] };
        const project = projectOf(`on ${name}`, npm);
        return () => tryOut(project, runtime, flags);
      });
    }
  }
  console.table(outcomes);
  process.exitCode = outcomes.some(({ result }) => result === 'fails') ? 1 : 0;
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
