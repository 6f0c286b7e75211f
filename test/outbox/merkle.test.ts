import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  consistencyPath,
  Frontier,
  inclusionPath,
  isConsistent,
  isIncluded,
  leafHash,
  type NodeReader,
} from '../../src/outbox/log/merkle.js';

const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();

/** The tree as the definition in RFC 9162, 2.1.1 has it. */
function treeOf(leaves: readonly Buffer[]): Buffer {
  const [first] = leaves;
  if (!first) return sha256();
  if (leaves.length === 1) return sha256(Buffer.of(0), first);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256(Buffer.of(1), treeOf(leaves.slice(0, split)), treeOf(leaves.slice(split)));
}

const leavesOf = (size: number) => Array.from({ length: size }, (_, at) => Buffer.from(`leaf ${at}`));
const readerOf =
  (leaves: readonly Buffer[]): NodeReader =>
  (level, index) =>
    Promise.resolve(treeOf(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)));

function frontierOf(leaves: readonly Buffer[]): Frontier {
  const frontier = new Frontier();
  for (const leaf of leaves) frontier.append(leafHash(leaf));
  return frontier;
}

test("the leaves of Certificate Transparency's own test have its roots", () => {
  // github.com/google/certificate-transparency, merkle_tree_test: inputs and roots of the first eight leaves.
  const inputs = [
    '',
    '00',
    '10',
    '2021',
    '3031',
    '40414243',
    '5051525354555657',
    '606162636465666768696a6b6c6d6e6f',
  ];
  const roots = [
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ];
  const frontier = new Frontier();
  for (const [at, input] of inputs.entries()) {
    frontier.append(leafHash(Buffer.from(input, 'hex')));
    expect(frontier.root().toString('hex')).toBe(roots[at]);
  }
});

test('the root of any number of leaves is that of the definition', () => {
  for (let size = 0; size < 70; size++) {
    expect(
      frontierOf(leavesOf(size))
        .root()
        .equals(treeOf(leavesOf(size))),
    ).toBe(true);
  }
});

test('every leaf of every tree of up to 40 leaves is proven, and no other place or leaf by the same path', async () => {
  for (let size = 1; size <= 40; size++) {
    const leaves = leavesOf(size);
    const root = treeOf(leaves);
    for (const [index, leaf] of leaves.entries()) {
      const path = await inclusionPath(readerOf(leaves), index, size);
      expect(isIncluded(leafHash(leaf), index, size, path, root)).toBe(true);
      expect(isIncluded(leafHash(Buffer.from('x')), index, size, path, root)).toBe(false);
      expect(isIncluded(leafHash(leaf), index, size, [...path, root], root)).toBe(false);
      if (size > 1) {
        expect(isIncluded(leafHash(leaf), (index + 1) % size, size, path, root)).toBe(false);
        expect(isIncluded(leafHash(leaf), index, size, path.slice(1), root)).toBe(false);
      }
    }
  }
});

test('every tree of up to 40 leaves goes on from each smaller one, and from no other', async () => {
  const leaves = leavesOf(40);
  for (let size = 1; size <= 40; size++) {
    const later = { size, root: treeOf(leaves.slice(0, size)) };
    for (let first = 0; first <= size; first++) {
      const earlier = { size: first, root: treeOf(leaves.slice(0, first)) };
      const path = await consistencyPath(readerOf(leaves), first, size);
      expect(isConsistent(earlier, later, path)).toBe(true);
      if (first > 0) expect(isConsistent({ ...earlier, root: treeOf([]) }, later, path)).toBe(false);
      if (first > 0 && first < size) {
        expect(isConsistent(earlier, { ...later, root: treeOf([]) }, path)).toBe(false);
        expect(isConsistent(earlier, later, [...path, later.root])).toBe(false);
      }
    }
  }
});

test('a tree that changed in any leaf does not go on from the earlier one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2, max: 60 }), fc.nat(), fc.nat(), async (size, one, other) => {
      const first = 1 + (one % (size - 1));
      const changed = leavesOf(size);
      changed[other % first] = Buffer.from('changed');
      const path = await consistencyPath(readerOf(changed), first, size);
      const earlier = { size: first, root: treeOf(leavesOf(first)) };
      expect(isConsistent(earlier, { size, root: treeOf(changed) }, path)).toBe(false);
    }),
  );
});
