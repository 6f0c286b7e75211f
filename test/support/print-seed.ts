/** Says before a run which seed repeats what it generates. */
export default function setup(): void {
  process.stdout.write(`generated inputs: PROPERTY_SEED=${process.env.PROPERTY_SEED ?? ''}\n`);
}
