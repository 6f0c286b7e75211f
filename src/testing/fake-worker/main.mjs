// @ts-check
/**
 * The process of a FakeWorker: a puppet on a socket. It holds the real pipes of a worker, reads the protocol's frames
 * from stdin and writes bytes, both on order: the other end of the socket decides everything.
 * It has its own reader of frames, so that an error in the library's reader cannot cancel out.
 *
 *     node main.mjs <address of the socket>
 */
import { Buffer } from 'node:buffer';
import { closeSync, writeSync } from 'node:fs';
import { createConnection } from 'node:net';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setInterval } from 'node:timers';

/** @typedef {import('./orders.js').Order} Order */
/** @typedef {import('./orders.js').Report} Report */

const LENGTH_BYTES = 4;
const STDOUT = 1;
const STDERR = 2;
/** How often it is looked whether the process that started this one is still there. */
const PARENT_CHECK_MS = 200;

/** The number may be another file's then. */
let isOutputClosed = false;

const address = process.argv[2] ?? '';
const parent = process.ppid;
const socket = createConnection(address);
socket.on('connect', () => {
  const environment = /** @type {Record<string, string>} */ ({ ...process.env });
  tell({ kind: 'here', pid: process.pid, parent, directory: process.cwd(), environment });
});
socket.on('error', (error) => {
  leave(
    1,
    `There is no FakeWorker for this process: ${error.message}. It was closed, or its process has ended\n`,
  );
});
socket.on('close', () => {
  leave(1, 'The FakeWorker of this process was closed\n');
});
createInterface({ input: socket }).on('line', (line) => {
  obey(/** @type {Order} */ (JSON.parse(line)));
});
setInterval(() => {
  if (process.ppid !== parent || !isAlive(parent)) leave(1);
}, PARENT_CHECK_MS);

/** @param {Order} order */
function obey(order) {
  switch (order.do) {
    case 'read':
      void readMessage().then((message) => {
        tell({ kind: 'read', message });
      });
      return;
    case 'output':
      if (!isOutputClosed) write(STDOUT, Buffer.from(order.bytes, 'base64'));
      return;
    case 'log':
      write(STDERR, Buffer.from(order.text));
      return;
    case 'close-output':
      isOutputClosed = true;
      closeSync(STDOUT);
      return;
    case 'ignore':
      process.on(order.signal, () => undefined);
      return;
    case 'die':
      process.removeAllListeners(order.signal);
      process.kill(process.pid, order.signal);
      return;
    case 'exit':
      process.exit(order.code);
  }
}

/**
 * Writes everything before anything else is done: what follows may be the end of the process.
 * @param {number} descriptor
 * @param {Buffer} bytes
 */
function write(descriptor, bytes) {
  for (let rest = bytes; rest.length > 0;) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      const { code } = /** @type {NodeJS.ErrnoException} */ (error);
      if (code !== 'EAGAIN') leave(1); // the host is gone
    }
  }
}

/** Called when more input, or its end, has come. */
/** @type {() => void} */
let wake = () => undefined;
let isListening = false;

/** The next frame's JSON object; undefined at the end of the input, which may be in the middle of a frame. */
async function readMessage() {
  const head = await exactly(LENGTH_BYTES);
  const body = head && (await exactly(head.readUInt32BE(0)));
  return body && /** @type {Record<string, unknown>} */ (JSON.parse(body.toString('utf8')));
}

/**
 * @param {number} count
 * @returns {Promise<Buffer | undefined>}
 */
async function exactly(count) {
  const { stdin } = process;
  if (!isListening) {
    isListening = true; // not before: it begins to read ahead
    for (const event of ['readable', 'end', 'error'])
      stdin.on(event, () => {
        wake();
      });
  }
  for (;;) {
    const bytes = /** @type {Buffer | null} */ (stdin.read(count));
    if (bytes) return bytes.length === count ? bytes : undefined;
    if (stdin.readableEnded || stdin.errored) return undefined;
    await /** @type {Promise<void>} */ (new Promise((resolve) => (wake = resolve)));
  }
}

/** @param {Report} report */
function tell(report) {
  socket.write(`${JSON.stringify(report)}\n`);
}

/**
 * @param {number} code
 * @param {string} [why]
 */
function leave(code, why = '') {
  if (why !== '') {
    try {
      writeSync(STDERR, why);
    } catch {
      // nobody hears it
    }
  }
  process.exit(code);
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}
