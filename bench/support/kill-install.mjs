/**
 * Installs a package by force over the version that is there, and is killed between the two renames of it: neither
 * version is where it belongs then.
 *
 *     kill-install.mjs <main entry> <test kit> <root of the store> <package>
 */
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const [main = '', testing = '', root = '', file = ''] = process.argv.slice(2);
const { Deployer, Registry } = await import(pathToFileURL(main).href);
const { watchFileSteps } = await import(pathToFileURL(testing).href);
const registry = await Registry.open(root, { durability: 'none' });
const deployer = new Deployer({ registry });
const target = path.join('deployed', 'sample', '1.0.0');
watchFileSteps(root, { mode: 'kill', at: { call: 'rename', target } });
await deployer.install(file, { force: true });
