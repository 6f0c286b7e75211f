import { evaluateMarker, type MarkerEnvironment } from '../../package/pep508.js';
import { parseRequirement } from '../../package/requirements.js';
import { normalizeProjectName } from '../../package/wheel-name.js';

/** A wheel that is to be installed, as far as its place in the order goes. */
export interface OrderedWheel {
  /** Project name. */
  name: string;
  /** Its `Requires-Dist` lines. */
  requires: readonly string[];
  /** Its `Provides-Extra`, normalised. */
  extras: readonly string[];
}

/** Of whom the requirements file is; no project has this name. */
const ROOT = '';

/**
 * The order in which pip installs: what others need comes first, and of two that nothing tells apart the later name. Of
 * two wheels that own the same file the one that is installed last wins, so that this order decides what is run.
 *
 * As `get_topological_weights` of pip's resolver: projects that need nothing are taken off the graph, then those that need
 * nothing any more, and so on; what is left turns in circles and is weighed by its longest way from the requirements.
 */
export function inPipsOrder<T extends OrderedWheel>(
  wheels: readonly T[],
  requirements: readonly string[],
  markers: MarkerEnvironment,
): T[] {
  const byName = new Map(wheels.map((wheel) => [normalizeProjectName(wheel.name), wheel]));
  const graph = graphOf(byName, requirements, markers);
  const weights = new Map<string, number>();
  for (;;) {
    const leaves = [...graph].filter(([node, needs]) => node !== ROOT && needs.size === 0);
    if (leaves.length === 0) break;
    for (const [leaf] of leaves) weights.set(leaf, graph.size - 1);
    for (const [leaf] of leaves) {
      graph.delete(leaf);
      for (const needs of graph.values()) needs.delete(leaf);
    }
  }
  weighCircles(graph, weights);
  const weightOf = (name: string) => weights.get(name) ?? 0;
  return [...byName]
    .sort(([a], [b]) => weightOf(b) - weightOf(a) || (a < b ? 1 : -1))
    .map(([, wheel]) => wheel);
}

/** What each node needs: a project, a project with extras, the requirements file. */
function graphOf(
  byName: ReadonlyMap<string, OrderedWheel>,
  requirements: readonly string[],
  markers: MarkerEnvironment,
): Map<string, Set<string>> {
  const graph = new Map<string, Set<string>>();
  const add = (lines: readonly string[], extras: readonly string[], needs: Set<string>) => {
    for (const line of lines) {
      const requirement = parseRequirement(line);
      if (typeof requirement === 'string' || !byName.has(requirement.name)) continue;
      const { marker, name } = requirement;
      const asked = extras.length === 0 ? [''] : extras;
      const holds = (extra: string) => evaluateMarker(marker ?? '', { ...markers, extra }) === true;
      if (marker !== undefined && !asked.some(holds)) continue;
      const wanted = requirement.extras.map(normalizeProjectName).sort();
      needs.add(node(name, wanted));
    }
  };
  const node = (name: string, extras: readonly string[]): string => {
    const wheel = byName.get(name);
    const key = extras.length === 0 ? name : `${name}[${extras.join(',')}]`;
    if (graph.has(key) || !wheel) return key;
    const needs = new Set<string>();
    graph.set(key, needs);
    if (extras.length > 0) needs.add(node(name, []));
    const offered = extras.filter((extra) => wheel.extras.includes(extra));
    if (extras.length === 0 || offered.length > 0) add(wheel.requires, offered, needs);
    return key;
  };
  const roots = new Set<string>();
  graph.set(ROOT, roots);
  add(requirements, [], roots);
  return graph;
}

function weighCircles(graph: ReadonlyMap<string, ReadonlySet<string>>, weights: Map<string, number>): void {
  const path = new Set<string>();
  let visits = 0;
  const visit = (node: string): void => {
    if (path.has(node) || ++visits > MOST_VISITS) return;
    path.add(node);
    for (const need of graph.get(node) ?? []) visit(need);
    path.delete(node);
    if (node !== ROOT) weights.set(node, Math.max(weights.get(node) ?? 0, path.size));
  };
  visit(ROOT);
}

/** Ways through circles may be very many. Real ones are of two or three projects. */
const MOST_VISITS = 100_000;
