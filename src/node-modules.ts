import module from 'node:module'; // not by name: bundles often get an import of createRequire of their own

/**
 * A module of Node itself, at its first use: most of them take Node milliseconds to load, and many hosts never come there. For
 * what cannot wait for an `import()`, and for bundles: those that become CommonJS have no `import.meta.url`, and a single
 * executable has no `import()`.
 */
export function nodeModule(name: `node:${string}`): unknown {
  // From Node 20.16 and 22.3 on. A module of Node is the same from any path.
  const own = (process as { getBuiltinModule?: (name: string) => unknown }).getBuiltinModule?.(name);
  return own ?? module.createRequire(process.execPath)(name);
}
