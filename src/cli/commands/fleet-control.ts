import { withFleet } from '../fleet/connect.js';
import { usage } from '../host.js';
import type { Call } from '../spec.js';
import { untilInterrupted } from '../terminal/wait.js';

export async function run(call: Call): Promise<undefined> {
  const { out } = call;
  await withFleet(call, async ({ connection, plant, keys: { privateKey, publicKeys } }) => {
    if (privateKey === undefined)
      throw usage(
        'A controller signs what it writes: name its key by private_key_file in the description of the fleet',
      );
    const { FleetController } = await import('procvision-runner/fleet');
    const controller = new FleetController({ connection, plant, privateKey, publicKeys });
    controller.on('active', ({ term }) => {
      out.line({ event: 'active', term }, `active     term ${term}`);
    });
    controller.on('standby', () => {
      out.line({ event: 'standby' }, 'standby    another controller acts, or there is no line');
    });
    controller.on('rollout', (state) => {
      const { rollout, wave, reason, moving, order } = state;
      const why = reason === undefined ? '' : `: ${reason}`;
      const moves = moving.length > 0 ? `, moves ${moving.join(' ')}` : '';
      out.line(
        { event: 'rollout', ...state },
        `rollout    ${rollout} ${state.state}, wave ${wave + 1} of ${order.waves.length}${moves}${why}`,
      );
    });
    controller.on('error', ({ error }) => {
      out.line({ event: 'error', error }, `failed     ${error.message}`);
    });
    controller.start();
    await untilInterrupted(call, `A controller of ${plant} runs until Ctrl-C`);
    await controller.close();
  });
  return undefined;
}
