/** NVIDIA's Triton server on the CPU, through nvidia-pytriton: HTTP with the pixels in system shared memory. */
import path from 'node:path';
import { Unavailable, type BenchContext } from '../harness/case.js';
import { execute } from '../support/pythons.js';
import { pythonWith } from './environments.js';
import { freePort, HttpClient, untilAnswered } from './http.js';
import type { Inspect, Peer, Picture } from './peer.js';
import { PeerProcess } from './processes.js';
import { fileMapper, sharedName } from './shared-memory.js';

const SET = 'triton';

type Load = (
  context: BenchContext,
  client: HttpClient,
  token: string,
) => (picture: Picture) => Promise<Inspect>;

const peerOf = (name: string, load: Load): Peer => ({
  name,
  async prepare(context) {
    if (context.quick) throw new Unavailable('A quick run does not install and start this server');
    await pythonWith(context, SET);
  },
  async start(context, workers) {
    const python = await pythonWith(context, SET);
    const port = await freePort();
    const token = crypto.randomUUID();
    // The server embeds Python: without these it takes the library of another Python, where the system has one.
    const library = ['-c', 'import sysconfig; print(sysconfig.get_config_var("LIBDIR"))'];
    const { stdout } = await execute(python, library);
    const server = new PeerProcess(python, ['triton_server.py', String(port), String(workers)], {
      PATH: `${path.dirname(python)}${path.delimiter}${process.env.PATH ?? ''}`,
      LD_LIBRARY_PATH: stdout.trim(),
      TRITON_TOKEN: token,
    });
    const client = new HttpClient(port);
    await untilAnswered(() => client.get('/v2/models/crop/ready'), server.failure());
    return {
      load: (pictures) => Promise.all(pictures.map(load(context, client, token))),
      close: async () => {
        client.close();
        await server.leave();
      },
    };
  },
});

/** The mean in an answer of the model. */
function meanOf(answer: string): number {
  const { outputs } = JSON.parse(answer) as { outputs: { data: number[] }[] };
  return outputs[0]?.data[0] ?? NaN;
}

export const triton = peerOf('Triton, shared memory', (context, client, token) => {
  const mapped = fileMapper();
  return async ({ data, width, height }) => {
    const map = await mapped;
    const name = sharedName(context);
    const region = name.replaceAll('/', '_');
    const pixels = new Uint8Array(map(name, data.length));
    // A key is the name of a file below /dev/shm.
    const about = { key: name.slice('/dev/shm'.length), offset: 0, byte_size: data.length };
    await client.post(`/v2/systemsharedmemory/region/${region}/register`, JSON.stringify(about), {
      'triton-access-token': token,
    });
    const parameters = { shared_memory_region: region, shared_memory_byte_size: data.length };
    const shape = [height, width, 3];
    const request = JSON.stringify({ inputs: [{ name: 'image', datatype: 'UINT8', shape, parameters }] });
    return async () => {
      pixels.set(data);
      return meanOf(await client.post('/v2/models/crop/infer', request));
    };
  };
});

/** The pixels in the body, by the binary tensor extension. */
export const tritonHttp = peerOf('Triton, HTTP', (_context, client) => ({ data, width, height }) => {
  const parameters = { binary_data_size: data.length };
  const shape = [height, width, 3];
  const head = Buffer.from(
    JSON.stringify({ inputs: [{ name: 'image', datatype: 'UINT8', shape, parameters }] }),
  );
  const headers = { 'inference-header-content-length': String(head.length) };
  const inspect = async () => {
    const body = Buffer.concat([head, data]);
    return meanOf(await client.post('/v2/models/crop/infer', body, headers));
  };
  return Promise.resolve(inspect);
});
