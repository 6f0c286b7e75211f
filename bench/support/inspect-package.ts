/** Inspects a package in a process of its own and prints `{ms, bytes}`: time, and how much the resident memory grew. */
import { PackageValidator, VenvManager } from '../../src/index.js';

const [file = ''] = process.argv.slice(2);
const venvs = new VenvManager();
await venvs.interpreters(); // asked once in the life of a host
const validator = new PackageValidator({ venvs });
const before = process.memoryUsage.rss();
const startedAt = performance.now();
await validator.inspect(file);
const ms = performance.now() - startedAt;
process.stdout.write(JSON.stringify({ ms, bytes: process.memoryUsage.rss() - before }));
