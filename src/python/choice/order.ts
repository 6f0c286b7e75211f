import type { Solution } from './backtracking.js';

/**
 * The order in which pip installs: what others need comes first, and otherwise the later name first. Of two wheels that
 * own the same file the last installed wins, so this order decides which code runs.
 *
 * As pip's resolver weighs them: projects that need nothing are taken off the graph, then those that need nothing any
 * more, and so on; what is left turns in circles and is weighed by its longest way from the requirements. The interpreter,
 * and a project with extras, are in the graph too: a wheel that asks for a Python needs something.
 */
export function inPipsOrder<C>(solution: Pick<Solution<C>, 'asks'>, projects: readonly string[]): string[] {
  const graph = new Map([...solution.asks].map(([node, needs]) => [node, new Set(needs)]));
  const weights = new Map<string | undefined, number>();
  for (;;) {
    const leaves = [...graph].filter(([node, needs]) => node !== undefined && needs.size === 0);
    if (leaves.length === 0) break;
    for (const [leaf] of leaves) weights.set(leaf, graph.size - 1);
    for (const [leaf] of leaves) {
      graph.delete(leaf);
      for (const needs of graph.values()) if (leaf !== undefined) needs.delete(leaf);
    }
  }
  weighCircles(graph, new Set(projects), weights);
  const weightOf = (name: string) => weights.get(name) ?? 0;
  return [...projects].sort((a, b) => weightOf(b) - weightOf(a) || (a < b ? 1 : -1));
}

/** Each project is weighed on so many ways to it; ways through circles may be very many. */
const MOST_WAYS = 5;
const MOST_VISITS = 100_000;

function weighCircles(
  graph: ReadonlyMap<string | undefined, ReadonlySet<string>>,
  projects: ReadonlySet<string>,
  weights: Map<string | undefined, number>,
): void {
  const path = new Set<string | undefined>();
  const ways = new Map<string, number>();
  let visits = 0;
  const visit = (node: string | undefined): void => {
    if (path.has(node) || ++visits > MOST_VISITS) return;
    if (node !== undefined && (ways.get(node) ?? 0) >= MOST_WAYS) return;
    path.add(node);
    for (const need of graph.get(node) ?? []) visit(need);
    path.delete(node);
    if (node === undefined || !projects.has(node)) return;
    ways.set(node, (ways.get(node) ?? 0) + 1);
    weights.set(node, Math.max(weights.get(node) ?? 0, path.size));
  };
  visit(undefined);
}
