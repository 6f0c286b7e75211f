import { kind } from './kind.js';

const RECOVER = 'Run procvision-runner recover, or doctor --fix';

/** Of the store: its folder, its disk, the registry, and what dead processes left. */
export const STORE_KINDS = {
  'store.missing': kind(
    'error',
    'There is no store',
    'Name the right folder with --root, or make a store by an install',
  ),
  'store.not-a-folder': kind(
    'error',
    'Something else lies in the place of a folder of the store',
    'Move it away: the folder is made at the next start',
  ),
  'store.unreadable': kind(
    'error',
    'This user may not read the store',
    'Run as the owner of the store, or give it to the user that runs the station: chown -R USER STORE',
  ),
  'store.not-permitted': kind(
    'error',
    'This user may not write to the store: nothing can be installed or switched',
    'Run as the owner of the store, or give it to the user that runs the station: chown -R USER STORE',
  ),
  'store.read-only': kind(
    'error',
    'The file system of the store is read-only',
    'Mount it for writing: mount -o remount,rw; after an error of the disk look at dmesg first',
  ),
  'store.no-exec': kind(
    'error',
    'The file system of the store is mounted noexec: native libraries cannot be loaded from it',
    'Move the store to a file system that allows it, or mount this one with exec, which lets programs run from all of it',
  ),
  'store.writable-by-others': kind(
    'warning',
    'Other users may change the store, and with it what workers run',
    'Take the right from them: chmod -R go-w STORE, or run doctor --fix',
    'takes the right to write from group and others',
  ),
  'disk.full': kind(
    'error',
    'The disk of the store is full',
    'Free some space: procvision-runner prune, or remove other files of that disk',
  ),
  'disk.low': kind(
    'warning',
    'The disk of the store has little room: the next install may fail',
    'Free some space: procvision-runner prune, or remove other files of that disk',
  ),
  'disk.no-inodes': kind(
    'error',
    'The file system of the store takes no more files, however many bytes are free',
    'Remove many files there (procvision-runner prune), or move the store to a file system with more inodes',
  ),
  'disk.few-inodes': kind(
    'warning',
    'The file system of the store takes few more files: the next install may fail',
    'Remove many files there (procvision-runner prune), or move the store to a file system with more inodes',
  ),
  'disk.no-reserve': kind(
    'warning',
    'The store has no reserve: on a full disk nothing could be removed',
    'Free a megabyte and open the store once, or run doctor --fix',
    'makes the reserve',
  ),
  'registry.damaged': kind(
    'error',
    'registry.json cannot be read, or a part of it cannot',
    'Let it be completed from the deployed versions: any command does so, or doctor --fix; the damaged file is kept',
    'completes it from the disk, and keeps the damaged file',
  ),
  'registry.missing': kind(
    'error',
    'registry.json is gone, and versions are deployed',
    'Let it be made anew from them: any command does so, or doctor --fix',
    'makes it from the deployed versions',
  ),
  'registry.too-new': kind(
    'error',
    'registry.json was written by a later version of this library',
    'Use the version that wrote it, or a later one: npm install procvision-runner@latest',
  ),
  'damage.kept': kind(
    'note',
    'A damaged file was put aside and replaced',
    'Look whether the disk fails (dmesg, smartctl), then remove the file that was kept',
  ),
  'mapping.copy': kind(
    'warning',
    'The copy of a mapping in active/ is not what the registry says',
    'Let it be written anew: procvision-runner recover, or doctor --fix',
    'writes the copies from the registry',
  ),
  'mapping.undeployed': kind(
    'error',
    'A product id is bound to a version that is not deployed',
    'Install that version, or unbind the id: procvision-runner deactivate ID',
  ),
  'mapping.unsupported': kind(
    'warning',
    'A product id is bound to a version that does not support it',
    'Switch it to a version that does: procvision-runner switch NAME VERSION ID',
  ),
  'guide.damaged': kind(
    'error',
    'A registered guide picture was changed or is gone',
    'Register it again: registry.setGuide()',
  ),
  'params.invalid': kind(
    'warning',
    'Kept parameters do not fit the version that serves the product id',
    'Set them anew: registry.setParams(), PUT /algorithms/active/ID/params',
  ),
  'policy.invalid': kind(
    'error',
    'The kept policy of a version cannot be: the version does not start',
    'Set it anew: supervisor.configure(), PUT /algorithms/NAME/VERSION/policy',
  ),
  'logs.unwritable': kind(
    'warning',
    'The logs of the store cannot be written: what is done leaves no record',
    'Mend owner and mode of the folder: chown USER STORE/logs',
  ),
  'zip.invalid': kind(
    'warning',
    'A package in zips/ cannot be installed',
    'Ask its maker for a right one, or remove the file',
  ),
  'lock.left': kind('warning', 'A lock is left of a process that is dead', RECOVER, 'runs recover()'),
  'lock.held': kind(
    'note',
    'A live process holds a lock for long',
    'Wait for it to end; if it hangs, end that process',
  ),
  'lock.unseen': kind(
    'note',
    'A lock is held by a process that cannot be seen from here',
    'Look on that machine; it is taken over by itself 20 seconds after its last sign',
  ),
  'operation.left': kind(
    'warning',
    'An install or uninstall was cut off',
    RECOVER,
    'finishes or undoes it, as recover() does',
  ),
  'use.left': kind(
    'note',
    'A mark of use is left of a process that is dead',
    'Nothing needs to be done: it is void; recover or doctor --fix removes it',
    'removes it',
  ),
  'file.left': kind(
    'note',
    'A file half written is left of a process that was killed',
    RECOVER,
    'removes it',
  ),
  'frames.left': kind(
    'warning',
    'Frames are left of a host that is dead, and take memory',
    'Start a host, which removes them, or run doctor --fix',
    'removes them',
  ),
  'process.left': kind(
    'error',
    'A worker runs whose host is dead',
    'End it: kill -9 PROCESS, or run doctor --fix',
    'ends it',
  ),
};
