import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { repositoryFile } from './support/run-script.js';

/** What ends something is done to its end; it is never given up half way. */
const ENDS = new Set(['close', 'stop', 'release', 'settled', 'whenTreeEnded', '__@asyncDispose']);

interface Method {
  name: string;
  returnsPromise: boolean;
  takesSignal: boolean;
}

const entries = ['index', 'http/index', 'signing/index'].map((name) => repositoryFile(`src/${name}.ts`));
const program = ts.createProgram(entries, {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  types: ['node'],
  strict: true,
  skipLibCheck: true,
});
const checker = program.getTypeChecker();

function methodOf(name: string, signature: ts.Signature): Method {
  const last = signature.getParameters().at(-1);
  const options = last && checker.getNonNullableType(checker.getTypeOfSymbol(last));
  const parts = options?.isUnion() ? options.types : options ? [options] : [];
  return {
    name,
    returnsPromise: signature.getReturnType().getSymbol()?.name === 'Promise',
    takesSignal: parts.some((part) => part.getProperty('signal') !== undefined),
  };
}

/** Every method of every class that an entry exports, as `Class.method`, and every exported function. */
function methods(): Method[] {
  const found: Method[] = [];
  for (const file of entries) {
    const source = program.getSourceFile(file);
    const module = source && checker.getSymbolAtLocation(source);
    if (!module) throw new Error(`${file} is no module`);
    for (const exported of checker.getExportsOfModule(module)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      if (symbol.flags & ts.SymbolFlags.Function) {
        const type = checker.getTypeOfSymbol(symbol);
        for (const signature of type.getCallSignatures()) found.push(methodOf(symbol.name, signature));
      }
      if (!(symbol.flags & ts.SymbolFlags.Class)) continue;
      const own = [
        ...checker.getDeclaredTypeOfSymbol(symbol).getProperties(),
        ...checker.getTypeOfSymbol(symbol).getProperties(),
      ];
      for (const member of own) {
        if (!(member.flags & ts.SymbolFlags.Method)) continue;
        if (member.name.includes('#')) continue;
        for (const signature of checker.getTypeOfSymbol(member).getCallSignatures()) {
          found.push(methodOf(`${symbol.name}.${member.name}`, signature));
        }
      }
    }
  }
  return found;
}

describe('the public API', () => {
  test('takes a signal in the last argument of everything asynchronous that does not end something', () => {
    const asynchronous = methods().filter(({ returnsPromise }) => returnsPromise);
    expect(asynchronous.length).toBeGreaterThan(50);
    const deaf = asynchronous.filter(({ name, takesSignal }) => {
      const method = name.slice(name.indexOf('.') + 1);
      return !takesSignal && ![...ENDS].some((end) => method === end || method.startsWith(`${end}@`));
    });
    expect(deaf.map(({ name }) => name)).toEqual([]);
  });
});
