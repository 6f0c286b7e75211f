import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { RunnerError } from '../../errors.js';
import { digestOf } from './fetch-picture.js';
import type { PictureAt } from './wire.js';

/** Where large pictures are offered to stations. */
export interface PictureOfferOptions {
  /** Address of this machine that stations reach: `10.0.0.5`. The server listens on it alone. */
  host: string;
  /** @defaultValue a free one */
  port?: number;
}

/** A small server of pictures: each can be fetched while its call is under way, by an address that nobody can guess. */
export class PictureOffer {
  readonly #server: http.Server;
  readonly #host: string;
  readonly #pictures = new Map<string, Uint8Array>();

  private constructor(host: string) {
    this.#host = host;
    this.#server = http.createServer((request, response) => {
      const picture = request.method === 'GET' ? this.#pictures.get(request.url ?? '') : undefined;
      if (picture) {
        response.writeHead(200, {
          'content-type': 'application/octet-stream',
          'content-length': picture.length,
          'cache-control': 'no-store',
        });
        response.end(picture);
      } else {
        response.writeHead(404, { 'content-length': 0 });
        response.end();
      }
    });
  }

  /** @throws RunnerError `invalid_params` where the address is none of this machine's, or the port is taken */
  static async listen({ host, port = 0 }: PictureOfferOptions): Promise<PictureOffer> {
    const offer = new PictureOffer(host);
    try {
      offer.#server.listen(port, host);
      await once(offer.#server, 'listening');
    } catch (cause) {
      throw new RunnerError(
        'invalid_params',
        `Pictures cannot be offered on ${host}:${port}: give an address of this machine and a free port`,
        { cause, details: { path: 'offer' } },
      );
    }
    return offer;
  }

  /** Offers a picture until `withdraw`. */
  offer(picture: Uint8Array): { at: PictureAt; withdraw: () => void } {
    const path = `/${randomBytes(24).toString('base64url')}`;
    this.#pictures.set(path, picture);
    const { port } = this.#server.address() as AddressInfo;
    const host = this.#host.includes(':') ? `[${this.#host}]` : this.#host;
    return {
      at: { url: `http://${host}:${port}${path}`, digest: digestOf(picture), sizeBytes: picture.length },
      withdraw: () => this.#pictures.delete(path),
    };
  }

  async close(): Promise<void> {
    this.#pictures.clear();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
