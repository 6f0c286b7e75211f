/**
 * Run as a process of its own: makes an environment in the folder named first, and links into it from the store named
 * second; wheels and requirements follow. Its first word on stdout is `ready`, its last `done`.
 */
import { VenvManager } from '../../src/python/venv-manager.js';

const [dir = '', wheelStore = '', wheels = '', requirements = '', python = ''] = process.argv.slice(2);
const manager = new VenvManager({ installer: 'link', wheelStore, python });
const venv = await manager.create(dir, { interpreter: await manager.select({}) });
process.stdout.write('ready\n');
manager.on('progress', ({ stage, fraction }) => void process.stdout.write(`${stage} ${fraction}\n`));
await manager.install(venv, { wheels, requirements });
process.stdout.write('done\n');
