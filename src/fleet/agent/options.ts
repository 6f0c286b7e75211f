import { probationOptions } from '../../supervisor/options.js';
import { callback, Door, instance, lazily, must, name, option, strings, text } from '../../options.js';
import type { AgentClock } from './clock.js';
import type { FleetAgentOptions, FleetStationOptions } from './types.js';
import type { AgentDiskPort, FleetConnection, PackageBytesPort, StationPort } from '../ports.js';
import type { MaintenanceWindow } from '../state.js';
import { faultOf, maintenanceWindow } from '../state/values.js';

const windowOption = () =>
  option<MaintenanceWindow>(
    'window',
    'must be a maintenance window such as { from: "22:00", to: "05:30" }',
    (value) => faultOf(maintenanceWindow(), value) === undefined,
  );

const connectionOption = () =>
  must(instance<FleetConnection>('a connection to a fleet', 'onConnect', 'close'));

/** Of a station, however it is made. */
const memberOptions = () => ({
  plant: name(),
  station: name(),
  group: text(),
  publicKeys: must(strings()),
  window: windowOption(),
  connection: connectionOption(),
});

/** What the doors of the fleet take. */
export const doors = /* @__PURE__ */ lazily(() => ({
  agent: new Door<FleetAgentOptions>('FleetAgent.start({ plant, station, publicKeys, … })', {
    ...memberOptions(),
    bytes: must(instance<PackageBytesPort>('a source of packages', 'fetch')),
    disk: must(instance<AgentDiskPort>('a disk of an agent', 'read', 'write', 'append')),
    target: must(instance<StationPort>('a station', 'serving', 'switch', 'back')),
    onClose: callback<() => Promise<void>>(),
    library: text(),
    clock: instance<AgentClock>('a clock', 'now', 'after', 'local'),
  }),
  station: new Door<FleetStationOptions>('openFleetAgent(runner, { plant, station, publicKeys, … })', {
    ...memberOptions(),
    sources: must(strings()),
    headers: callback<(source: string) => Readonly<Record<string, string>>>(),
    probation: probationOptions(),
    locks: callback<() => string[] | Promise<string[]>>(),
  }),
}));
