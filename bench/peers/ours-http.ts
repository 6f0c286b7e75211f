/** The library over HTTP: the pixels as the body of a request over a kept connection. */
import { listenHttp } from '../support/http-server.js';
import { CROP, CROP_PRODUCT, cropStore } from './ours.js';
import type { Peer } from './peer.js';

export const oursHttp: Peer = {
  name: 'ours, HTTP',
  prepare: cropStore,
  async start(context, workers) {
    const { AlgorithmSupervisor, Deployer, FramePool } = context.library.main;
    const registry = await cropStore(context);
    const frames = new FramePool();
    const supervisor = new AlgorithmSupervisor({ registry, worker: 'bundled', frames });
    const deployer = new Deployer({ registry });
    await supervisor.start(CROP.name, CROP.version, { workers });
    const { client, close } = await listenHttp(context, { registry, deployer, supervisor });
    return {
      load: (pictures) =>
        Promise.resolve(
          pictures.map(({ data, width, height }) => async () => {
            const answer = await client.post(`/inspections/${CROP_PRODUCT}`, data, {
              'content-type': 'application/octet-stream',
              'x-image-width': String(width),
              'x-image-height': String(height),
              'x-image-format': 'RGB8',
            });
            const { data: result } = JSON.parse(answer) as { data: { debug: { mean: number } } };
            return result.debug.mean;
          }),
        ),
      close: async () => {
        close();
        await supervisor.close();
        await deployer.close();
        await frames.close();
      },
    };
  },
};
