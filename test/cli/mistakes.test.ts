import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { cliStation } from '../support/cli-station.js';

describe('whatever is wrong with a command line is said in one line, with the nearest right thing, and changes nothing', () => {
  test.each<[line: string, code: number, message: string]>([
    ['instal x.zip', 2, "unknown command 'instal'. Did you mean install?"],
    ['list --jsn', 2, "unknown option '--jsn'. Did you mean --json?"],
    ['activate board-check', 2, "missing required argument 'version'"],
    ['serve --port 80a', 2, '--port takes a whole number from 0 to 65535, not 80a'],
    ['serve --host 0.0.0.0', 2, 'give --token-file FILE'],
    ['start board-check 1.0.0 --worker sdq', 2, '--worker takes sdk or bundled, not sdq'],
    ['run A01 x.png --params [1]', 2, '--params takes a JSON object'],
    ['help isntall', 2, "there is no help for 'isntall'. Did you mean install?"],
    ['list board-check 1.0.0', 2, 'Expected 1 argument but got 2. See procvision-runner list --help'],
    [
      'activate board-check 1.0.0 --root',
      2,
      "'--root <folder>' argument missing. See procvision-runner activate",
    ],
    ['install packet.zip --root new', 1, 'invalid_zip'],
    ['prune --keep -1', 2, '--keep takes a whole number from 0, not -1'],
    ['init station', 2, 'station is not empty'],
    ['completion bsh', 2, 'Did you mean bash?'],
    ['start board-check', 2, 'start takes a name and a version'],
    ['install none.zip', 3, 'There is no package none.zip'],
    ['install paket.zip', 3, 'There is no package paket.zip. Did you mean packet.zip?'],
    ['check /no/such/folder/x.zip', 3, 'its folder is not there'],
    ['list --root statoin', 3, 'There is no store at'],
    ['list board-chek', 3, 'board-chek is not deployed. Did you mean board-check?'],
    ['activate board-check 1.0.1', 3, 'board-check 1.0.1 is not deployed. Did you mean 1.0.0?'],
    ['activate board-check 1.0.0 A03', 3, 'does not support A03. Did you mean A01?'],
    ['deactivate A10', 3, 'Product id A10 is not active. Did you mean A01?'],
    ['rollback Z', 3, 'Product id Z is not active. Active product ids: A01'],
    ['run A0 x.png', 3, 'A0 is neither an active product id nor a deployed package. Did you mean A01?'],
    ['run A01 pictur.png', 3, 'There is no picture pictur.png. Did you mean picture.png?'],
    ['accept no-pictures A01', 3, 'There is no folder of pictures no-pictures'],
    ['accept station board-check', 2, 'accept takes a name and a version: accept FOLDER board-check VERSION'],
    ['accept station A0', 3, 'Product id A0 is not active. Did you mean A01?'],
    ['accept station A01 --against 1.2.0', 3, 'board-check 1.2.0 is not deployed'],
    ['accept station A01 --alpha 5', 2, '--alpha takes a number between 0 and 1, not 5'],
    ['accept station A01 --to-eight-bits 12', 2, '--to-eight-bits takes shift, or two values such as 0,4095'],
    ['accept station A01', 2, 'has neither a folder OK nor a folder NG'],
    ['uninstall board-check 9', 3, 'board-check 9 is not deployed. Deployed versions: 1.0.0, 1.1.0'],
    ['verify bord-check', 3, 'Did you mean board-check?'],
    ['logs board-check 1.2.0', 3, 'Did you mean 1.'],
    ['rollback A01', 3, 'not_found'],
    ['list --root=', 2, "--root takes a folder, not ''"],
    ['install http://example.org/x.zip', 3, 'it is an address. Name a file by its path, downloaded before'],
    ['types board-check 1.0.0 --out none/x.ts', 3, 'none/x.ts cannot be written: its folder is not there'],
    ['types board-check 1.0.0 --out station', 2, 'station is a folder: name a file'],
    ['accept station A01 --report none/x.html', 3, 'none/x.html cannot be written: its folder is not there'],
    ['accept picture.png A01', 2, 'is neither a folder nor a CSV file'],
    ['run A01 picture.png --out packet.zip', 2, 'packet.zip is a file: name a folder'],
    ['init picture.png', 2, 'picture.png cannot be a folder for a package: it is a file'],
    ['uninstall board-check 1.0.0', 1, 'unsafe_uninstall'],
    ['install packet.zip', 1, 'invalid_zip'],
    ['install packet.zip --activate ,', 2, "--activate takes product ids such as A,B, not ','"],
  ])('%s', async (line, code, message) => {
    const cli = await cliStation();
    for (const name of ['packet.zip', 'picture.png']) await writeFile(path.join(cli.folder, name), 'nothing');
    const before = await readFile(path.join(cli.folder, 'station/registry.json'), 'utf8');
    const outcome = await cli.run(...line.split(' '));
    expect(outcome).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) as string });
    const said = outcome.stderr.split('\n').filter((text) => text.startsWith('error:'));
    expect(said).toHaveLength(1);
    expect(outcome.stderr).not.toMatch(/^ {4}at /m);
    expect(await readFile(path.join(cli.folder, 'station/registry.json'), 'utf8')).toBe(before);
    expect((await readdir(cli.folder)).sort()).toEqual(['packet.zip', 'picture.png', 'station']);
  });
});
