import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Script } from 'node:vm';

/** The code of a part: one function, that is given what a CommonJS module has. */
type Part = (
  ...given: [
    exports: object,
    require: NodeJS.Require,
    module: { exports: object },
    filename: string,
  ]
) => void;

/**
 * Runs a part of the program as it ships (packaging/build-program.mjs) and gives what it exports. Beside it lies what V8 once
 * compiled of it for `use`, so that nothing is parsed and compiled again: that is most of what a short command would take. V8
 * takes it of its own version only; without it, all is compiled when it is needed. The files belong to whom the program belongs to.
 */
export function loadPart(file: string, use: string): unknown {
  const module = { exports: {} };
  const run = compilePart(file, use).runInThisContext() as Part;
  run(module.exports, createRequire(file), module, file);
  return module.exports;
}

/** The file with what the V8 that runs here compiled of a part. */
export function compiledPart(file: string, use: string): string {
  // Patches that Node adds to a version (`11.3.244.8-node.38`) change nothing in what is compiled.
  return `${file}.${use}-${process.versions.v8.split('-', 1).join('')}`;
}

/** The part as V8 has it before it runs: a script whose value is the function. */
export function compilePart(file: string, use: string): Script {
  const cachedData = readCache(compiledPart(file, use));
  // ASCII by the build; and decoding UTF-8 takes three times as long.
  return new Script(readFileSync(file, 'latin1'), {
    filename: file,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
}

function readCache(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    // The program is whole without it.
    return undefined;
  }
}
