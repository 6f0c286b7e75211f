/** Compiles the loops over pixels and over the scans of a JPEG to the `.wasm` beside each source: `npm run kernels`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A source in AssemblyScript, and what it needs. */
interface Kernel {
  title: string;
  source: URL;
  /** Where the compiled loops are kept. */
  compiled: string;
  options: readonly string[];
}

/** `pages`: of 64 KiB, see the places in the file that loads it. */
function kernel(title: string, pages: readonly [least: number, most: number], ...more: string[]): Kernel {
  const [least, most] = pages;
  const bounds = ['--initialMemory', String(least), '--maximumMemory', String(most)];
  return {
    title,
    source: new URL(`../../src/frames/${title}.as`, import.meta.url),
    compiled: fileURLToPath(new URL(`../../src/frames/${title}.wasm`, import.meta.url)),
    options: [...bounds, ...more],
  };
}

/** Every one of them. The scans of a JPEG do without vectors, which not every processor has. */
export const KERNELS: readonly Kernel[] = [
  kernel('pixels/kernels', [18, 18], '--enable', 'simd'),
  kernel('decoding/scans', [22, 65_536]),
];

/** By a variable: the compiler's own types bring a second set of names for what a browser has. */
const COMPILER = ['assemblyscript', 'asc'].join('/');
/** The part of it that is used here. */
interface Compiler {
  main: (
    args: string[],
    files: {
      readFile: (name: string) => string | null;
      writeFile: (name: string, content: Uint8Array | string) => void;
      listFiles: () => string[];
    },
  ) => Promise<{ error: Error | null; stderr: { toString: () => string } }>;
}

/** @throws what the compiler says of the source */
export async function compileKernel({ title, source, options }: Kernel): Promise<Uint8Array> {
  const { main } = (await import(COMPILER)) as Compiler;
  let wasm: Uint8Array | undefined;
  const { error, stderr } = await main(
    [
      ...['kernels.ts', '--outFile', 'kernels.wasm', '--runtime', 'stub', '--noAssert', '-O3', '--noColors'],
      ...options,
    ],
    {
      readFile: (name) => (name === 'kernels.ts' ? readFileSync(source, 'utf8') : null),
      writeFile: (_name, content) => {
        wasm = content as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  if (error || !wasm)
    throw new Error(`${title}.as does not compile: ${error?.message}\n${stderr.toString()}`);
  return wasm;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const one of KERNELS) writeFileSync(one.compiled, await compileKernel(one));
}
