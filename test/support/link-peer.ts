import fs from 'node:fs';
import path from 'node:path';
import { IS_WINDOWS } from './platform.js';

/** Puts a package of this project below `node_modules` of a folder. */
export function linkPeer(folder: string, name: string): void {
  const place = path.join(folder, 'node_modules', name);
  fs.rmSync(place, { recursive: true, force: true });
  const own = fs.realpathSync(path.join('node_modules', name));
  if (!IS_WINDOWS) {
    fs.symlinkSync(own, place);
    return;
  }
  // Not every user may make links there.
  fs.mkdirSync(place);
  fs.writeFileSync(path.join(place, 'index.js'), `module.exports = require(${JSON.stringify(own)});`);
}
