import type { SimCable } from './line.js';
import type { SimServer } from './server.js';
import type { World } from './world.js';

/** A machine of a plant, by its line. */
export interface Wired {
  name: string;
  cable: SimCable;
}

/** Cuts the line of a machine, or has it go silent, and mends it within `mostMs`. */
export function cutLine(world: World, { name, cable }: Wired, mostMs: number): void {
  const isSilent = world.chance(0.5);
  world.tell(`${name}: line ${isSilent ? 'silent' : 'cut'}`);
  if (isSilent) cable.isSilent = true;
  else {
    cable.isCut = true;
    cable.drop();
  }
  world.after(world.between(1_000, mostMs), () => {
    world.tell(`${name}: line stands`);
    cable.mend();
  });
}

/** The server of a plant, as it goes and comes back. */
export class ServerTroubles {
  readonly #world: World;
  readonly #server: SimServer;
  readonly #wired: () => readonly Wired[];

  constructor(world: World, server: SimServer, wired: () => readonly Wired[]) {
    this.#world = world;
    this.#server = server;
    this.#wired = wired;
  }

  /** Stops it for at most `mostMs`; a cut of its power loses what was acknowledged last. */
  stop(losesWrites: boolean, mostMs: number): void {
    if (!this.#server.isUp) return;
    this.#world.tell(`server ${losesWrites ? 'loses its power and its last writes' : 'stops'}`);
    this.#server.isUp = false;
    for (const { cable } of this.#wired()) cable.drop();
    if (losesWrites) this.#server.cutPower();
    this.#world.after(this.#world.between(500, mostMs), () => {
      this.start();
    });
  }

  start(): void {
    if (this.#server.isUp) return;
    this.#world.tell('server is back');
    this.#server.isUp = true;
    for (const { cable } of this.#wired()) if (!cable.isCut && !cable.isSilent) cable.mend();
  }
}
