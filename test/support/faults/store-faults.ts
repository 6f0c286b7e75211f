import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { NO_MOUNTS, readOnly, smallDisk } from '../mounts.js';
import { back, bindIn, editRegistry, NO_MODES, until, type Fault } from './station.js';

/** Of the folder of the store, its disk, its modes and its registry. */
export const STORE_FAULTS: readonly Fault[] = [
  {
    title: 'a root that is not there',
    id: 'store.missing',
    inject: ({ root }) => {
      fs.renameSync(root, `${root}-elsewhere`);
      until(() => {
        fs.renameSync(`${root}-elsewhere`, root);
      });
    },
    remedy: back,
  },
  {
    title: 'a disk that is not mounted: an empty folder',
    id: 'store.missing',
    names: 'mounted',
    inject: ({ root }) => {
      fs.renameSync(root, `${root}-elsewhere`);
      fs.mkdirSync(root);
      until(() => {
        fs.rmdirSync(root);
        fs.renameSync(`${root}-elsewhere`, root);
      });
    },
    remedy: back,
  },
  {
    title: 'a file in the place of zips/',
    id: 'store.not-a-folder',
    names: 'zips',
    inject: ({ registry: { layout } }) => {
      fs.rmSync(layout.zips, { recursive: true });
      fs.writeFileSync(layout.zips, '');
    },
    remedy: ({ registry: { layout } }) => {
      fs.renameSync(layout.zips, `${layout.root}-moved`);
    },
  },
  {
    title: 'a store on a disk that turned read-only',
    id: 'store.read-only',
    skip: NO_MOUNTS,
    inject: ({ root }) => until(readOnly(root)),
    remedy: back,
  },
  {
    title: 'a store on a disk that is mounted noexec',
    id: 'store.no-exec',
    skip: NO_MOUNTS,
    make: { place: async () => (await smallDisk(400)).folder },
    inject: ({ folder }) => {
      execFileSync('mount', ['-o', 'remount,noexec', folder]);
    },
    remedy: ({ folder }) => {
      execFileSync('mount', ['-o', 'remount,exec', folder]);
    },
  },
  {
    title: 'a folder of versions that everybody may write to',
    id: 'store.writable-by-others',
    names: 'deployed',
    skip: NO_MODES,
    inject: ({ registry: { layout } }) => fs.chmodSync(layout.deployedRoot, 0o777),
    remedy: 'fix',
  },
  {
    title: 'a registry that everybody may write',
    id: 'store.writable-by-others',
    names: 'registry.json',
    skip: NO_MODES,
    inject: ({ registry: { layout } }) => fs.chmodSync(layout.registry, 0o666),
    remedy: 'fix',
  },
  {
    title: 'a disk that is full',
    id: 'disk.full',
    skip: NO_MOUNTS,
    make: { place: async () => (await smallDisk(400)).folder },
    inject: ({ folder }) => {
      const free = fs.statfsSync(folder);
      fs.writeFileSync(path.join(folder, 'filler'), Buffer.alloc(free.bavail * free.bsize - 100_000));
    },
    remedy: ({ folder }) => {
      fs.rmSync(path.join(folder, 'filler'));
    },
  },
  {
    title: 'a disk that has 100 MB',
    id: 'disk.low',
    skip: NO_MOUNTS,
    make: { place: async () => (await smallDisk(100)).folder },
    inject: () => undefined,
    remedy: ({ folder }) => {
      execFileSync('mount', ['-o', 'remount,size=1g', folder]);
    },
  },
  ...(
    [
      ['disk.no-inodes', 4_650],
      ['disk.few-inodes', 900],
    ] as const
  ).map(([id, count]): Fault => ({
    title: `a disk with ${count} of its 5000 inodes gone`,
    id,
    skip: NO_MOUNTS,
    make: { place: async () => (await smallDisk(400, 4_700)).folder },
    inject: ({ folder }) => {
      const { ffree } = fs.statfsSync(folder);
      fs.mkdirSync(path.join(folder, 'many'));
      for (let left = id === 'disk.no-inodes' ? ffree - 20 : count; left > 0; left--)
        fs.writeFileSync(path.join(folder, 'many', String(left)), '');
    },
    remedy: ({ folder }) => {
      fs.rmSync(path.join(folder, 'many'), { recursive: true });
    },
  })),
  {
    title: 'a store without its reserve',
    id: 'disk.no-reserve',
    inject: ({ registry: { layout } }) => fs.rmSync(layout.reserve),
    remedy: 'fix',
  },
  ...(
    [
      ['a registry that was cut off', (text: string) => text.slice(0, 100)],
      ['a registry with an entry that is none', (text: string) => text.replace('"entry_point"', '"entry"')],
      ['a registry that is a list', () => '[]'],
    ] as const
  ).map(([title, damage]): Fault => ({
    title,
    id: 'registry.damaged',
    inject: ({ registry: { layout } }) => {
      fs.writeFileSync(layout.registry, damage(fs.readFileSync(layout.registry, 'utf8')));
    },
    remedy: async (station) => {
      await station.fix();
      expect((await station.look()).map(({ id }) => id)).toEqual(['damage.kept']);
      for (const name of fs.readdirSync(station.root))
        if (name.includes('.damaged-')) fs.rmSync(path.join(station.root, name));
    },
  })),
  {
    title: 'a registry that was removed',
    id: 'registry.missing',
    names: 'sample 1.0.0',
    inject: ({ registry: { layout } }) => fs.rmSync(layout.registry),
    remedy: 'fix',
  },
  {
    title: 'a registry of a later version',
    id: 'registry.too-new',
    inject: ({ registry: { layout } }) => {
      const before = fs.readFileSync(layout.registry);
      fs.writeFileSync(layout.registry, '{ "schema_version": 9, "versions": {} }');
      until(() => {
        fs.writeFileSync(layout.registry, before);
      });
    },
    remedy: back,
  },
  {
    title: 'a mapping in active/ that was edited',
    id: 'mapping.copy',
    names: 'A01.json',
    inject: ({ registry: { layout } }) => fs.writeFileSync(layout.active('A01'), '{}'),
    remedy: 'fix',
  },
  {
    title: 'a mapping in active/ of no product id',
    id: 'mapping.copy',
    names: 'B77.json',
    inject: ({ registry: { layout } }) => fs.copyFileSync(layout.active('A01'), layout.active('B77')),
    remedy: 'fix',
  },
  {
    title: 'a product id that is bound to a version that is gone',
    id: 'mapping.undeployed',
    names: 'ghost 3.0.0',
    inject: (station) => {
      bindIn(station, 'G1', { name: 'ghost', version: '3.0.0' });
    },
    remedy: ({ registry }) => registry.deactivate({ productIds: ['G1'] }),
  },
  {
    title: 'a product id that its version does not support',
    id: 'mapping.unsupported',
    names: 'Z9',
    inject: (station) => {
      bindIn(station, 'Z9', { name: 'sample', version: '1.0.0' });
    },
    remedy: ({ registry }) => registry.deactivate({ productIds: ['Z9'] }),
  },
  {
    title: 'a guide picture with a byte changed',
    id: 'guide.damaged',
    inject: async ({ registry }) => {
      await registry.setGuide({
        productId: 'A01',
        stepIndex: 1,
        image: { data: new Uint8Array(12), width: 2, height: 2 },
      });
      const folder = path.join(registry.layout.guides, 'A01');
      const file = fs.readdirSync(folder).find((name) => name.endsWith('.npy')) ?? '';
      fs.appendFileSync(path.join(folder, file), 'x');
    },
    remedy: async ({ registry }) => {
      const image = { data: new Uint8Array(12).fill(1), width: 2, height: 2 };
      await registry.setGuide({ productId: 'A01', stepIndex: 1, image });
    },
  },
  {
    title: 'a guide picture that was removed',
    id: 'guide.damaged',
    names: 'ENOENT',
    inject: async ({ registry }) => {
      await registry.setGuide({
        productId: 'A01',
        stepIndex: 1,
        image: { data: new Uint8Array(12), width: 2, height: 2 },
      });
      const folder = path.join(registry.layout.guides, 'A01');
      for (const name of fs.readdirSync(folder))
        if (name.endsWith('.npy')) fs.rmSync(path.join(folder, name));
    },
    remedy: ({ registry }) => registry.removeGuide({ productId: 'A01', stepIndex: 1 }),
  },
  {
    title: 'kept parameters that the version does not take',
    id: 'params.invalid',
    names: 'tolerance',
    inject: (station) => {
      editRegistry(station, ({ packages, active }) => {
        Object.assign(packages[0] ?? {}, {
          steps: [{ index: 1, params: [{ key: 'tolerance', type: 'int', min: 0, max: 9 }] }],
        });
        Object.assign(active.A01 ?? {}, { params: { tolerance: 500 } });
      });
    },
    remedy: ({ registry }) => registry.setParams({ productId: 'A01', params: { tolerance: 5 } }),
  },
  {
    title: 'a kept policy that cannot be',
    id: 'policy.invalid',
    names: 'workers',
    inject: (station) => {
      editRegistry(station, (content) => {
        content.policies = [
          {
            name: 'sample',
            version: '1.0.0',
            policy: { workers: -3 },
            configured_at: '2026-01-01T00:00:00Z',
          },
        ];
      });
    },
    remedy: ({ registry }) => registry.configure({ name: 'sample', version: '1.0.0', policy: {} }),
  },
  {
    title: 'a folder of logs that is read-only',
    id: 'logs.unwritable',
    skip: NO_MOUNTS,
    inject: ({ registry: { layout } }) => until(readOnly(layout.logs)),
    remedy: back,
  },
];
