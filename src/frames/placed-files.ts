import type { FrameFolder } from './frame-folder.js';
import { PlacedFile, type FileContent } from './placed-file.js';

/** The files of one image: one for each folder of workers that are to read it, never one for two folders. */
export class PlacedFiles {
  readonly #folder: FrameFolder;
  readonly #name: string;
  readonly #files = new Map<string, PlacedFile>();
  #isRenewed = false;
  /** One write after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(folder: FrameFolder, name: string) {
    this.#folder = folder;
    this.#name = name;
  }

  /** Leaves the file in this folder whole, with this content. What lies in others of an earlier one goes. */
  ensure(place: string, content: FileContent): Promise<void> {
    return this.#inTurn(async () => {
      const isRenewed = this.#isRenewed;
      this.#isRenewed = false;
      for (const [other, file] of this.#files) {
        if (!isRenewed && (other === place || file.generation === content.generation)) continue;
        this.#files.delete(other);
        await file.remove();
      }
      let file = this.#files.get(place);
      if (!file) this.#files.set(place, (file = new PlacedFile(this.#folder, place, this.#name)));
      await file.ensure(content);
    });
  }

  /** Nothing that is there is to be trusted: the next file is a new one. */
  renew(): void {
    this.#isRenewed = true;
  }

  remove(): Promise<void> {
    return this.#inTurn(async () => {
      const files = [...this.#files.values()];
      this.#files.clear();
      await Promise.all(files.map((file) => file.remove()));
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}
