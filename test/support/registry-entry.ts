import type { RegistryEntry } from '../../src/registry/types.js';

/** A registry entry of a version that need not be on disk. */
export function registryEntry(name: string, version: string, pids: string[] = ['A', 'B']): RegistryEntry {
  return {
    name,
    version,
    supported_pids: pids,
    state: 'deployed',
    created_at: '2026-01-01T00:00:00.000Z',
    entry_point: 'm:C',
    generation: 'phased',
  };
}
