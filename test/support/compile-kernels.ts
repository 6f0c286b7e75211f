/** Compiles the loops over pixels, `src/frames/pixels/kernels.as`, to the `kernels.wasm` beside it: `npm run kernels`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const source = new URL('../../src/frames/pixels/kernels.as', import.meta.url);
/** Where the compiled loops are kept. */
export const compiledFile = fileURLToPath(new URL('../../src/frames/pixels/kernels.wasm', import.meta.url));
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
/** Pages of 64 KiB: see the places in kernels.ts. */
const PAGES = 18;

/** @throws what the compiler says of the source */
export async function compileKernels(): Promise<Uint8Array> {
  const { main } = (await import(COMPILER)) as Compiler;
  let wasm: Uint8Array | undefined;
  const { error, stderr } = await main(
    [
      ...['kernels.ts', '--outFile', 'kernels.wasm', '--runtime', 'stub', '--noAssert', '-O3', '--noColors'],
      ...['--enable', 'simd', '--initialMemory', String(PAGES), '--maximumMemory', String(PAGES)],
    ],
    {
      readFile: (name) => (name === 'kernels.ts' ? readFileSync(source, 'utf8') : null),
      writeFile: (_name, content) => {
        wasm = content as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  if (error || !wasm) throw new Error(`kernels.as does not compile: ${error?.message}\n${stderr.toString()}`);
  return wasm;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(compiledFile, await compileKernels());
}
