/**
 * A host that makes one environment and installs into it, and prints `{ms, peakBytes, startMs}`: how long that took, the most
 * memory that the process had, and the processor time that its own start took before.
 *
 *     install-host.mjs <main entry> <folder> <python> <wheels> <requirements> [<wheel store>]
 */
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const [library, folder, python, wheels, requirements, wheelStore] = process.argv.slice(2);
const { VenvManager } = await import(pathToFileURL(library).href);
const { user, system } = process.cpuUsage();
const startMs = (user + system) / 1_000;
const startedAt = performance.now();
const manager = new VenvManager({ python, ...(wheelStore && { installer: 'link', wheelStore }) });
const venv = await manager.create(folder, { interpreter: await manager.select({}) });
await manager.install(venv, { wheels, requirements });
const ms = performance.now() - startedAt;
process.stdout.write(JSON.stringify({ ms, peakBytes: process.resourceUsage().maxRSS * 1024, startMs }));
