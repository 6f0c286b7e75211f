import { expect, test } from 'vitest';
import { parseWheelName } from '../../src/package/wheel-name.js';
import { remedyFor } from '../../src/python/interpreters/remedy.js';

const wheels = (...tags: string[]) =>
  tags.map((tag) => ({ tags: parseWheelName(`lens-1.0-${tag}.whl`, 1)?.tags ?? [] }));
const machine = (platform: string, ...tags: string[]) => [
  { platform, tags: tags.map((tag) => `cp311-cp311-${tag}`) },
];
const debian = machine('linux_x86_64', 'manylinux_2_36_x86_64', 'manylinux_2_5_x86_64', 'linux_x86_64');
const centos = machine('linux_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64', 'linux_x86_64');
const alpine = machine('linux_aarch64', 'musllinux_1_1_aarch64', 'linux_aarch64');
const mac = machine('macosx_12_0_arm64', 'macosx_12_0_arm64', 'macosx_11_0_universal2');

test.each([
  [
    'glibc',
    debian,
    ['cp311-cp311-manylinux_2_99_x86_64'],
    'need glibc 2.99 or later, and this system has glibc 2.36',
    'manylinux_2_28_x86_64',
  ],
  [
    'an old glibc',
    centos,
    ['cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64'],
    'need glibc 2.27 or later, and this system has glibc 2.17',
    'manylinux2014_x86_64',
  ],
  [
    'musl',
    alpine,
    ['cp311-cp311-musllinux_1_2_aarch64'],
    'need musl 1.2 or later, and this system has musl 1.1',
    'musllinux_1_2_aarch64',
  ],
  [
    'macOS',
    mac,
    ['cp311-cp311-macosx_14_0_arm64'],
    'need macOS 14.0 or later, and this system has macOS 12.0',
    'macosx_11_0_universal2',
  ],
] as const)(
  'wheels for a newer %s than is here are told so, whatever Python they are for',
  (_, here, tags, need, platform) => {
    const remedy = remedyFor(wheels(...tags), here);
    expect(remedy).toContain(`${need}: pack the package again with -w ${platform}`);
    expect(remedyFor(wheels(...tags.map((tag) => tag.replaceAll('cp311', 'cp39'))), here)).toBe(remedy);
  },
);

test.each([
  ['for this glibc', debian, ['cp39-cp39-manylinux_2_36_x86_64']],
  [
    'of which one is for this glibc',
    debian,
    ['cp311-cp311-manylinux_2_99_x86_64', 'cp39-cp39-manylinux1_x86_64'],
  ],
  ['that name no version of the system', debian, ['cp39-cp39-linux_x86_64']],
  ['without compiled code', centos, ['cp39-none-any']],
])('wheels %s are for another Python', (_, here, tags) => {
  expect(remedyFor(wheels(...tags), here)).toMatch(/install it, or pack|Install the Python/);
});

test('a package for another system is packed again for the C library that is here', () => {
  const foreign = wheels('cp311-cp311-win_amd64');
  expect(remedyFor(foreign, debian)).toMatch(/-w manylinux_2_28_x86_64$/);
  expect(remedyFor(foreign, centos)).toMatch(/-w manylinux2014_x86_64$/);
});
