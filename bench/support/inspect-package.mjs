/**
 * Inspects a package in a process of its own and prints `{ms, bytes, againMs}`: time, how much the resident memory
 * grew, and the time of inspecting it once more, which needs no code to be loaded.
 *
 *     inspect-package.mjs <main entry of the library> <package> known|remembered|unknown <folder of wheels' store>
 *
 * What the host knows of this machine's Pythons: `known` in this process, `remembered` in the store from an earlier
 * process, `unknown` when none was ever asked.
 */
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const [library = '', file = '', knowledge = 'known', wheelStore = ''] = process.argv.slice(2);
const { PackageValidator, VenvManager } = await import(pathToFileURL(library).href);
const venvs = new VenvManager(knowledge === 'remembered' ? { wheelStore } : {});
if (knowledge === 'known') await venvs.interpreters();
const validator = new PackageValidator({ venvs });
const before = process.memoryUsage.rss();
const startedAt = performance.now();
await validator.inspect(file);
const ms = performance.now() - startedAt;
const bytes = process.memoryUsage.rss() - before;
const againAt = performance.now();
await validator.inspect(file);
process.stdout.write(JSON.stringify({ ms, bytes, againMs: performance.now() - againAt }));
