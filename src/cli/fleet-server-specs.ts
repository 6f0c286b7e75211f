import { wholeNumber } from './flags.js';
import type { CommandSpec } from './spec.js';

const USERS = 'a JSON file: { plant, users: [{ role, name, group, key }] }';

/** The commands of the fleet's server. */
export const FLEET_SERVER: readonly CommandSpec[] = [
  {
    name: 'fleet up',
    summary: 'run a server for development or a small plant, with bucket and stream, until Ctrl-C',
    options: [
      {
        usage: '--folder <folder>',
        summary: 'where it keeps its data, and the seeds of users',
        defaultValue: '.fleet',
        kind: 'file',
      },
      { usage: '--host <address>', summary: 'address that it listens on', defaultValue: '127.0.0.1' },
      {
        usage: '--port <port>',
        summary: 'its port; 0 takes a free one',
        parse: wholeNumber('--port', 0),
        defaultValue: 4222,
      },
      { usage: '--users <file>', summary: `only these users, with permissions: ${USERS}`, kind: 'file' },
      { usage: '--server <file>', summary: 'the nats-server to run (the one on PATH)', kind: 'file' },
    ],
    examples: ['fleet up', 'fleet up --host 10.0.0.5 --users plant.json'],
    load: () => import('./commands/fleet-up.js'),
  },
  {
    name: 'fleet permissions',
    summary: 'write the users of a plant, with what each may do, for the configuration of a server',
    arguments: [{ usage: '<file>', summary: USERS, kind: 'file' }],
    options: [
      {
        usage: '--folder <folder>',
        summary: 'where fleet-users.conf and the seeds of users without a key go',
        defaultValue: '.fleet',
        kind: 'file',
      },
    ],
    examples: ['fleet permissions plant.json', 'fleet permissions plant.json --folder /etc/nats'],
    load: () => import('./commands/fleet-permissions.js'),
  },
];
