import type { Runner } from 'procvision-runner';
import { usage } from '../host.js';
import type { Call } from '../spec.js';
import { describedFleet, type DescribedFleet } from './connect.js';

/** What a file says of the fleet of a station. @throws CliFailure 2, 3 */
export async function stationFleet(call: Call, file: string): Promise<DescribedFleet> {
  const described = await describedFleet(call, file);
  if (described.keys.publicKeys.length > 0) return described;
  throw usage(`${file} must name public_key_files: a station checks what the fleet says by them`);
}

/** Makes the station of a runner a member of its fleet. The answer ends its part in it, and nothing else. */
export async function joinFleet(
  { out }: Call,
  runner: Runner,
  { plant, name, group, sources, inspections, keys, connect }: DescribedFleet,
): Promise<() => Promise<void>> {
  const { connectFleet, openFleetAgent, serveInspections } = await import('procvision-runner/fleet');
  const connection = await connectFleet(connect); // without a line the station serves all the same
  try {
    const agent = await openFleetAgent(runner, {
      ...{ plant, station: name, publicKeys: keys.publicKeys, connection, sources },
      ...(group !== undefined && { group }),
    });
    agent.on('event', (event) => {
      out.say(`${event.at} fleet ${JSON.stringify({ ...event, at: undefined })}`);
    });
    const service = inspections
      ? await serveInspections(connection, { plant, station: name, runner })
      : undefined;
    const of = group === undefined ? '' : `, of the group ${group}`;
    const answers = inspections ? '; it answers inspections of others' : '';
    out.say(`Station ${name} of ${plant}${of}, by ${connect.servers.join(', ')}${answers}`);
    return async () => {
      await service?.close();
      await agent.close();
      await connection.close();
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}
