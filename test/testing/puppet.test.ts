import { once } from 'node:events';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { Puppet } from '../../src/testing/fake-worker/puppet.js';

test('a process whose socket breaks off brings nobody down', async () => {
  const socket = new Socket();
  const arrived: Puppet[] = [];
  Puppet.greet(socket, (puppet) => void arrived.push(puppet));
  socket.destroy(new Error('read ECONNRESET'));
  await once(socket, 'close').catch(() => undefined); // rejects with the error that comes before it
  expect(arrived).toEqual([]);
});
