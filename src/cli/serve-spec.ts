import { AT_ONCE, wholeNumber, WORKER, WORKERS } from './flags.js';
import type { CommandSpec } from './spec.js';

export const SERVE: CommandSpec = {
  name: 'serve',
  summary: 'run the station: workers of all that is active, and the HTTP endpoints',
  options: [
    {
      usage: '--port <n>',
      summary: 'port; 0 takes a free one',
      parse: wholeNumber('--port', 0, 65_535),
      defaultValue: 8080,
    },
    { usage: '--host <address>', summary: 'address to listen on', defaultValue: '127.0.0.1' },
    { usage: '--token-file <file>', summary: 'requests must bring the token in this file', kind: 'file' },
    WORKER,
    WORKERS,
    AT_ONCE,
    { usage: '--watch', summary: 'also install what is put into zips/' },
    {
      usage: '--fleet <file>',
      summary: 'be a station of the fleet that this file describes',
      kind: 'file',
    },
    {
      usage: '--plant <file>',
      summary: 'also show the plant on the page, by the keys that this file names',
      kind: 'file',
    },
    { usage: '--source', summary: 'also give packages to other stations, by content (below /content/)' },
    {
      usage: '--outbox <file>',
      summary: 'keep each verdict, and deliver it as this file says',
      kind: 'file',
    },
  ],
  examples: [
    'serve',
    'serve --outbox outbox.json',
    'serve --host 0.0.0.0 --token-file /etc/procvision/token',
    'serve --port 9000 --watch',
    'serve --fleet /etc/procvision/fleet.json',
    'serve --plant operator.json',
  ],
  details:
    'Without a token it listens on this machine alone. SIGTERM and Ctrl-C end it cleanly. Under systemd it tells when it is\nready (Type=notify, NotifyAccess=all).',
  isService: true,
  load: () => import('./commands/serve.js'),
};
