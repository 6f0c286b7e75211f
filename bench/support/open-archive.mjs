/**
 * Opens an archive in a process of its own, where no memory can be used again that was used before, and prints
 * `{ms, bytes}`: time, and how much the resident memory grew.
 *
 *     open-archive.mjs <main entry of the library> <archive>
 */
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const [library = '', file = ''] = process.argv.slice(2);
const { openArchive } = await import(pathToFileURL(library).href);
const before = process.memoryUsage.rss();
const startedAt = performance.now();
const archive = await openArchive(file);
const ms = performance.now() - startedAt;
process.stdout.write(JSON.stringify({ ms, bytes: process.memoryUsage.rss() - before }));
await archive.close();
