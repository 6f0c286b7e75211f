import type { CommandSpec } from './spec.js';

/** The command that holds the records of an outbox against its log. */
export const RECEIPTS_VERIFY: CommandSpec = {
  name: 'receipts verify',
  summary: 'find records of an outbox that were removed, altered, swapped or added',
  arguments: [
    { usage: '<folder>', summary: 'of an outbox that no host has open, or a copy of it', kind: 'file' },
  ],
  options: [
    {
      usage: '--key <file>',
      summary: "the station's public key, kept elsewhere; without it that in the folder",
      kind: 'file',
    },
    {
      usage: '--head <file>',
      summary: 'a signed head that was saved earlier (again for more)',
      isRepeated: true,
      kind: 'file',
    },
    { usage: '--save-head <file>', summary: 'save the head that the folder has now', kind: 'file' },
  ],
  examples: [
    'receipts verify /var/lib/outbox --save-head monday.json',
    'receipts verify /var/lib/outbox --key station.pem --head monday.json',
  ],
  details:
    'Works offline. Exits with 1 when something was found. Without a head that was saved elsewhere, the end of the log can be cut off unseen.',
  load: () => import('./commands/receipts-verify.js'),
};
