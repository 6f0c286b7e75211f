#!/usr/bin/env node
import { packageVersion } from './version.js';

const argv = process.argv.slice(2);
// Without the parser of command lines, which takes longer to load than a Node that does nothing.
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  process.stdout.write(`${packageVersion()}\n`);
} else {
  void import('./process.js').then(({ main }) => main(argv));
}
