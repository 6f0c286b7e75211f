import { spawn, type ChildProcess } from 'node:child_process';

/**
 * Hands lines of its stdin to the socket of systemd, each as a message (sd_notify(3)); a tab stands for a line break within
 * one. It ends with its stdin, and so with this process. Node has no datagram sockets of the UNIX domain.
 */
const RELAY = `
import os, socket, sys
place = os.environ["NOTIFY_SOCKET"]
place = "\\0" + place[1:] if place.startswith("@") else place
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
    for line in sys.stdin:
        link.sendto(line.rstrip("\\n").replace("\\t", "\\n").encode(), place)
`;

/** Tells systemd how the service is, where it was started by it; does nothing elsewhere. */
export class ServiceNotifier {
  readonly #child: ChildProcess | undefined;
  readonly #ended: Promise<unknown>;
  #watchdog: NodeJS.Timeout | undefined;

  /** @param python - runs the relay */
  constructor(env: Readonly<Record<string, string | undefined>>, python: string | undefined) {
    const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: watchdog } = env;
    if (socket === undefined || python === undefined) {
      this.#ended = Promise.resolve();
      return;
    }
    const child = spawn(python, ['-I', '-S', '-c', RELAY], {
      env: { NOTIFY_SOCKET: socket },
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true, // a Ctrl-C of the terminal is not its end: the last message is still to come
    });
    this.#ended = new Promise((resolve) => {
      child.once('error', resolve);
      child.once('exit', resolve);
    });
    child.stdin.on('error', () => undefined); // systemd is gone: there is nobody to tell
    this.#child = child;
    const everyMs = Number(watchdog ?? 0) / 1_000 / 2;
    if (everyMs > 0) {
      this.#watchdog = setInterval(() => {
        this.tell('WATCHDOG=1');
      }, everyMs);
    }
  }

  /** As `READY=1`, `STATUS=…`; several make one message. */
  tell(...assignments: string[]): void {
    this.#child?.stdin?.write(`${assignments.join('\t').replaceAll('\n', ' ')}\n`);
  }

  /** Waits until the last message is out. */
  async close(): Promise<void> {
    clearInterval(this.#watchdog);
    this.#child?.stdin?.end();
    await this.#ended;
  }
}
