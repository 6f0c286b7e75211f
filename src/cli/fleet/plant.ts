import type { FleetOperator } from 'procvision-runner/fleet';
import type { Call } from '../spec.js';
import { describedFleet } from './connect.js';

/** A plant that the page shows. */
export interface ShownPlant {
  operator: FleetOperator;
  close(): Promise<void>;
}

/** Opens the line to a plant, and does not wait for it: without a line the page says so. */
export async function openPlant(call: Call, file: string): Promise<ShownPlant> {
  const { plant, keys, connect } = await describedFleet(call, file);
  const { connectFleet, FleetOperator } = await import('procvision-runner/fleet');
  const connection = await connectFleet(connect);
  return { operator: new FleetOperator({ connection, plant, ...keys }), close: () => connection.close() };
}
