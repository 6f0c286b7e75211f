import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { thisMachine } from '../../../src/runner/doctor/surroundings.js';
import { barePython } from '../bare-python.js';
import { linkPeer } from '../link-peer.js';
import { NO_MOUNTS, readOnly, smallDisk } from '../mounts.js';
import { IS_WINDOWS } from '../platform.js';
import {
  back,
  deadProcess,
  HOUR_MS,
  loaderIn,
  NO_LIMITS,
  NO_SCRIPTS,
  notLinux,
  PYTHON,
  set,
  softLimit,
  until,
  type Fault,
  type Station,
} from './station.js';

const real = thisMachine();

/** Optional packages of a station: one of them is missing, or there and broken. Installed again, a new process finds it. */
function withPeers(lacking: string, state: 'missing' | 'broken'): Pick<Fault, 'inject' | 'remedy'> {
  const install = (station: Station, folder: string, without?: string) => {
    const place = path.join(station.folder, folder);
    Object.assign(station.surroundings, { loadPeer: loaderIn(place) });
    for (const name of ['koffi', 'sharp']) if (name !== without) linkPeer(place, name);
    return path.join(place, 'node_modules');
  };
  return {
    inject: (station) => {
      const modules = install(station, 'peers', lacking);
      if (state === 'missing') return;
      fs.mkdirSync(path.join(modules, lacking));
      const source = 'throw new Error("libc.musl-x86_64.so.1: cannot be loaded");';
      fs.writeFileSync(path.join(modules, lacking, 'index.js'), source);
    },
    // Node remembers of a folder that a package is not in it.
    remedy: (station) => void install(station, 'peers of a new process'),
  };
}

const FAULTS: readonly Fault[] = [
  {
    title: 'a Node of before',
    id: 'node.old',
    names: '18.20.0',
    inject: set({ nodeVersion: '18.20.0' }),
    remedy: set({ nodeVersion: '20.4.0' }),
  },
  {
    title: 'a bundle without the Python files',
    id: 'assets.missing',
    names: '/nowhere',
    inject: () => {
      process.env.PROCVISION_ASSETS = '/nowhere';
      until(() => delete process.env.PROCVISION_ASSETS);
    },
    remedy: back,
  },
  {
    title: 'a temp dir that is not there',
    id: 'temp.unusable',
    inject: ({ surroundings }) => {
      fs.rmdirSync(surroundings.temp ?? '');
    },
    remedy: ({ surroundings }) => fs.mkdirSync(surroundings.temp ?? ''),
  },
  {
    title: 'a temp dir that is full',
    id: 'temp.unusable',
    names: 'Nothing can be written',
    skip: NO_MOUNTS,
    inject: async ({ surroundings }) => {
      const { folder, fill } = await smallDisk(1);
      fill();
      surroundings.temp = folder;
      until(() => {
        fs.rmSync(path.join(folder, 'filler'));
      });
    },
    remedy: back,
  },
  {
    title: 'a trial that was killed two days ago',
    id: 'temp.left',
    inject: ({ surroundings }) => {
      const folder = path.join(surroundings.temp ?? '', 'procvision-validate-abc');
      fs.mkdirSync(folder);
      fs.utimesSync(folder, new Date(Date.now() - 48 * HOUR_MS), new Date(Date.now() - 48 * HOUR_MS));
    },
    remedy: 'fix',
  },
  {
    title: 'a process that may open 400 files',
    id: 'limits.open-files',
    names: '400',
    skip: NO_LIMITS,
    inject: () => until(softLimit('nofile', '400')),
    remedy: back,
  },
  {
    title: 'a process whose files may have 1 GiB',
    id: 'limits.file-size',
    names: '1073741824',
    skip: NO_LIMITS,
    inject: () => until(softLimit('fsize', '1073741824')),
    remedy: back,
  },
  {
    title: 'a bounded address space',
    id: 'limits.address-space',
    skip: NO_LIMITS,
    inject: () => until(softLimit('as', String(2 ** 46))),
    remedy: back,
  },
  {
    title: 'a user who may have 50 processes',
    id: 'limits.processes',
    names: '50',
    skip: NO_LIMITS,
    inject: () => until(softLimit('nproc', '50')),
    remedy: back,
  },
  {
    title: 'a container with ten processes left',
    id: 'limits.processes',
    names: '10 more',
    skip: notLinux,
    inject: (station) => {
      const cgroups = path.join(station.folder, 'cgroup');
      fs.mkdirSync(cgroups);
      fs.writeFileSync(path.join(cgroups, 'pids.current'), '90\n');
      fs.writeFileSync(path.join(cgroups, 'pids.max'), '100\n');
      station.surroundings.cgroups = cgroups;
    },
    remedy: ({ surroundings }) => {
      fs.writeFileSync(path.join(surroundings.cgroups ?? '', 'pids.max'), 'max\n');
    },
  },
  {
    title: 'a user who may not raise a priority',
    id: 'limits.nice',
    skip: notLinux,
    inject: set({ mayStandBack: false }),
    remedy: set({ mayStandBack: true }),
  },
  {
    title: 'a hundred megabytes of memory',
    id: 'memory.low',
    names: '95 MiB',
    inject: set({ availableMemory: () => 1e8 }),
    remedy: set({ availableMemory: () => 1e10 }),
  },
  {
    title: 'a clock that was not set',
    id: ['clock.unset', 'clock.behind'],
    names: '1970',
    inject: set({ now: () => 0 }),
    remedy: set({ now: real.now }),
  },
  {
    title: 'a clock that went back by two days',
    id: 'clock.behind',
    names: /sample 1.0.0 was deployed|A01 was activated/,
    inject: set({ now: () => Date.now() - 48 * HOUR_MS }),
    remedy: set({ now: real.now }),
  },
  {
    title: 'a share whose clock is ten minutes behind',
    id: 'clock.share',
    names: /6\d\d seconds behind/,
    inject: set({ now: () => Date.now() + HOUR_MS / 6 }),
    remedy: set({ now: real.now }),
  },
  {
    title: 'a machine without /proc',
    id: 'proc.missing',
    skip: notLinux,
    inject: set({ proc: '/nowhere' }),
    remedy: set({ proc: '/proc' }),
  },
  {
    title: 'a container without /dev/shm',
    id: 'shm.missing',
    names: /algorithms\/\.frames, which may be a disk/,
    skip: notLinux,
    inject: ({ surroundings }) => {
      fs.rmdirSync(surroundings.sharedMemory ?? '');
    },
    remedy: ({ surroundings }) => fs.mkdirSync(surroundings.sharedMemory ?? ''),
  },
  {
    title: 'a /dev/shm that is read-only',
    id: 'shm.unwritable',
    names: 'EROFS',
    skip: NO_MOUNTS,
    inject: ({ surroundings }) => until(readOnly(surroundings.sharedMemory ?? '')),
    remedy: back,
  },
  {
    title: 'a /dev/shm that is full',
    id: 'shm.full',
    skip: NO_MOUNTS,
    inject: async ({ surroundings }) => {
      const { folder, fill } = await smallDisk(200);
      fill();
      surroundings.sharedMemory = folder;
      until(() => {
        fs.rmSync(path.join(folder, 'filler'));
      });
    },
    remedy: back,
  },
  {
    title: 'the /dev/shm of a container, and frames that are files',
    id: 'shm.small',
    names: '64 MiB',
    skip: NO_MOUNTS,
    inject: async (station) => {
      station.options = { frames: { mapped: false } };
      station.surroundings.sharedMemory = (await smallDisk(64)).folder;
    },
    remedy: ({ surroundings }) => {
      execFileSync('mount', ['-o', 'remount,size=1g', surroundings.sharedMemory ?? '']);
    },
  },
  {
    title: 'koffi that is not installed',
    id: 'koffi.missing',
    skip: notLinux,
    ...withPeers('koffi', 'missing'),
  },
  {
    title: 'koffi for another system',
    id: 'koffi.broken',
    names: 'musl',
    skip: notLinux,
    ...withPeers('koffi', 'broken'),
  },
  { title: 'sharp that is not installed', id: 'sharp.missing', ...withPeers('sharp', 'missing') },
  { title: 'sharp for another system', id: 'sharp.broken', names: 'musl', ...withPeers('sharp', 'broken') },
  {
    title: 'frames of a host that was killed',
    id: 'frames.left',
    inject: async ({ surroundings }) => {
      const folder = path.join(surroundings.sharedMemory ?? '', 'procvision-frames-7-abc');
      fs.mkdirSync(folder);
      fs.writeFileSync(path.join(folder, 'owner.json'), JSON.stringify(await deadProcess()));
    },
    remedy: 'fix',
  },
  {
    title: 'frames in the store of a host that was killed',
    id: 'frames.left',
    names: '.frames/procvision-frames-7-abc',
    inject: async ({ registry: { layout } }) => {
      const folder = path.join(layout.frames, 'procvision-frames-7-abc');
      fs.mkdirSync(folder, { recursive: true });
      fs.writeFileSync(path.join(folder, 'owner.json'), JSON.stringify(await deadProcess()));
    },
    remedy: 'fix',
  },
  {
    title: 'a folder of frames without an owner',
    id: 'frames.left',
    inject: ({ surroundings }) => {
      const folder = path.join(surroundings.temp ?? '', 'procvision-frames-7-def');
      fs.mkdirSync(folder);
      fs.utimesSync(folder, new Date(Date.now() - HOUR_MS), new Date(Date.now() - HOUR_MS));
    },
    remedy: 'fix',
  },
  {
    title: 'a Python that is not there',
    id: 'python.none',
    names: 'no such file',
    withPythons: true,
    inject: (station) => {
      const python = path.join(station.folder, 'python3');
      station.options = { python };
      until(() => {
        if (IS_WINDOWS) station.options = { python: PYTHON[0] };
        else fs.symlinkSync(PYTHON[0], python);
      });
    },
    remedy: back,
  },
  {
    title: 'a Python that is too old',
    id: 'python.none',
    names: 'too old',
    withPythons: true,
    skip: NO_SCRIPTS,
    inject: (station) => {
      const python = path.join(station.folder, 'python3');
      fs.writeFileSync(python, `#!/bin/sh\necho '{"version": "3.6.9", "executable": "x"}'\n`, {
        mode: 0o755,
      });
      station.options = { python };
      until(() => {
        station.options = { python: PYTHON[0] };
      });
    },
    remedy: back,
  },
  {
    title: 'one of two Pythons that does not start',
    id: 'python.unusable',
    names: 'broken',
    withPythons: true,
    inject: (station) => {
      const python = path.join(station.folder, 'broken');
      fs.writeFileSync(python, '#!/bin/sh\nexit 3\n', { mode: 0o755 });
      station.options = { python: [PYTHON[0], python] };
      until(() => {
        station.options = { python: [PYTHON[0]] };
      });
    },
    remedy: back,
  },
  {
    title: 'a Python whose venv is packed apart',
    id: 'python.no-venv',
    withPythons: true,
    skip: notLinux,
    inject: async (station) => {
      station.options = {
        python: await barePython(PYTHON[0], path.join(station.folder, 'bare'), ['venv', 'ensurepip']),
      };
      until(() => {
        const [, minor] = PYTHON[1].split('.');
        const library = path.join(station.folder, 'bare', 'lib', `python3.${minor}`, 'venv');
        const said = execFileSync(PYTHON[0], ['-c', 'import venv; print(venv.__path__[0])'], {
          encoding: 'utf8',
        });
        fs.symlinkSync(said.trim(), library);
      });
    },
    remedy: back,
  },
];

/** Of the machine, the folder of frames and Pythons. */
export const MACHINE_FAULTS = FAULTS.map((fault) =>
  fault.id === 'clock.behind' || Array.isArray(fault.id) ? fault : { ...fault, make: { isBare: true } },
);
