/** A line about a soak, where it was asked for by its variable: the suite prints nothing of its short rounds. */
export function reportSoak(variable: string, title: string, figures: object): void {
  if (process.env[variable] === undefined) return;
  const line = Object.entries(figures).map(([name, value]) => `${name} ${String(value)}`);
  process.stdout.write(`${title}: ${line.join(', ')}\n`);
}
