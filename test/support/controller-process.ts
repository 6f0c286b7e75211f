/** A controller in a process of its own: prints what it does, and each second the processor time that it has used. */
import { connectFleet, FleetController } from '../../src/fleet/index.js';

const [url = '', privateKey = ''] = process.argv.slice(2);
const say = (line: object): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

const connection = await connectFleet({ servers: [url], name: `controller-${process.pid}`, waitMs: 20_000 });
const controller = new FleetController({ connection, plant: 'p', privateKey });
controller.on('active', ({ term }) => {
  say({ kind: 'active', term });
});
controller.on('standby', () => {
  say({ kind: 'standby' });
});
controller.on('error', ({ error }) => {
  say({ kind: 'error', message: error.message });
});
controller.start();
setInterval(() => {
  const { user, system } = process.cpuUsage();
  say({ kind: 'cpu', ms: (user + system) / 1_000, at: performance.now() });
}, 1_000);
