/** FastAPI under uvicorn with its fast parts: the pixels as the body of a request over a kept connection. */
import { pythonWith } from './environments.js';
import { freePort, HttpClient, untilAnswered } from './http.js';
import type { Peer } from './peer.js';
import { PeerProcess } from './processes.js';

const SET = 'fastapi';

export const fastApi: Peer = {
  name: 'FastAPI, HTTP',
  prepare: (context) => pythonWith(context, SET),
  async start(context, workers) {
    const python = await pythonWith(context, SET);
    const port = await freePort();
    const options = ['--port', String(port), '--workers', String(workers), '--log-level', 'warning'];
    const server = new PeerProcess(python, ['-m', 'uvicorn', 'http_app:app', '--no-access-log', ...options]);
    const client = new HttpClient(port);
    await untilAnswered(() => client.get('/'), server.failure());
    return {
      load: (pictures) =>
        Promise.resolve(
          pictures.map(({ data, width, height }) => async () => {
            const answer = await client.post(`/${height}/${width}`, data, {
              'content-type': 'application/octet-stream',
            });
            return (JSON.parse(answer) as { mean: number }).mean;
          }),
        ),
      close: async () => {
        client.close();
        await server.close('SIGTERM');
      },
    };
  },
};
