/**
 * Inspects a package in a process of its own and prints `{ms, bytes}`: time, and how much the resident memory grew.
 *
 *     inspect-package.ts <package> known|remembered|unknown <folder of wheels' store>
 *
 * What the host knows of this machine's Pythons: `known` in this process, `remembered` in the store from an earlier
 * process, `unknown` when none was ever asked.
 */
import { PackageValidator, VenvManager } from '../../src/index.js';

const [file = '', knowledge = 'known', wheelStore = ''] = process.argv.slice(2);
const venvs = new VenvManager(knowledge === 'remembered' ? { wheelStore } : {});
if (knowledge === 'known') await venvs.interpreters();
const validator = new PackageValidator({ venvs });
const before = process.memoryUsage.rss();
const startedAt = performance.now();
await validator.inspect(file);
const ms = performance.now() - startedAt;
process.stdout.write(JSON.stringify({ ms, bytes: process.memoryUsage.rss() - before }));
