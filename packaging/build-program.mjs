// Bundles the program as it ships into dist/bin: `berth.cjs` and `berth-runtime.cjs`, which are small, and what they run, in
// dist/bin/parts. A part is one script with all that it needs of src, ostree-adapter and npm packages but koffi, which is native;
// beside it are its source map and what V8 compiled of it (src/base/load-part.ts). Part names change with their content, so that
// what V8 compiled is never taken for another one's, and a build does not disturb programs that run.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, resolve } from 'node:path';

import { build } from 'esbuild';

import { compiledPart } from '../dist/src/base/load-part.js';

const BIN = resolve('dist/bin');
const PARTS = join(BIN, 'parts');
const OLDEST_NODE = 'node20.19';

// The commands that may fetch images: they do so much more that what is compiled for them would slow the others down.
const FETCHING = ['install', 'update', 'auto-update', 'pull', 'copy', 'push', 'run'];

const common = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: OLDEST_NODE,
  external: ['koffi'],
  // There is no loader behind a part.
  supported: { 'dynamic-import': false },
  legalComments: 'none',
  // Half the text to read. Names and lines stay: Node shows the line that an error came from.
  minifyWhitespace: true,
  minifySyntax: true,
  lineLimit: 160,
  logLevel: 'warning',
  metafile: true,
  write: false,
};

// The part of 'list' has no other command in it, and no store: it is asked most, and does little beside being loaded.
const onlyList = {
  name: 'only-list',
  setup({ onResolve, onLoad }) {
    const isCommand = ({ path, importer }) =>
      path.startsWith('./commands/') || importer.endsWith('/commands/list.js');
    const fetches = /\/(open-store|transports|open-image-source)\.js$/;
    onResolve({ filter: /^\.\.?\/([a-z-]+\/)?[a-z-]+\.js$/ }, (found) => {
      const { path } = found;
      const isOther = isCommand(found) && path.startsWith('./') && !/\/(list|help)\.js$/.test(path);
      return isOther || fetches.test(path) ? { path, namespace: 'left-out' } : undefined;
    });
    onLoad({ filter: /./, namespace: 'left-out' }, ({ path }) => ({
      contents: `module.exports = new Proxy({}, { get() { throw new Error('internal error: ${path} is left out'); } });`,
    }));
  },
};

// Modules of Node that 'list' names and asks for nothing: they are loaded when it does. (As long as `require`, for the source map.)
const NODE_LATER = ['child_process', 'crypto', 'fs/promises', 'v8'];
const LATER = `const laterOn = (id) => new Proxy({}, { get: (_, name) => require(id)[name] }); /* ${NODE_LATER} */`;

const commands = await buildPart('commands', 'dist/src/cli/run-command-line.js', ['fetch', 'look']);
const list = await buildPart('list', 'dist/src/cli/run-command-line.js', ['list'], [onlyList]);
const runtime = await buildPart('runtime', 'dist/src/runtime-main.js', ['run']);
const objects = await buildPart('objects', 'dist/src/store/embedded/object-thread-main.js', []);
const parts = [commands, list, runtime, objects];
const programs = [
  await buildProgram('berth', readFileSync('dist/src/main.js', 'utf8'), commands),
  await buildProgram('berth-runtime', "require('./runtime-main.js');", runtime),
  await buildProgram(
    'object-thread-main',
    "require('./store/embedded/object-thread-main.js');",
    objects,
  ),
];

mkdirSync(PARTS, { recursive: true });
for (const part of parts) {
  const file = join(PARTS, part.file);
  writeNew(`${file}.map`, part.map);
  writeNew(file, part.code);
  for (const use of part.uses) if (!existsSync(compiledPart(file, use))) warmUp(part, use);
}
for (const { file, code } of programs) writeNew(join(BIN, file), code, 0o755);
writeNew(join(BIN, 'THIRD-PARTY'), thirdPartyNotices(parts));
// What a package compiles where it is installed.
const uses = parts.flatMap(({ uses, file }) => uses.map((use) => `${use} ${file}\n`));
writeNew(join(PARTS, 'uses'), uses.join(''));
// By its time tests see that this was done after the last compilation (test/support/fresh-program.ts).
writeFileSync(join(BIN, '.built'), '');
const kept = new Set(['uses', ...parts.map(({ file }) => file)]);
for (const name of readdirSync(PARTS)) {
  if (!kept.has(name.replace(/(?<=\.cjs)\..*$/, ''))) rmSync(join(PARTS, name));
}

async function buildPart(name, entry, uses, plugins = []) {
  const { outputFiles, metafile } = await build({
    ...common,
    plugins,
    entryPoints: { [name]: entry },
    entryNames: '[name]-[hash]',
    outdir: PARTS,
    outExtension: { '.js': '.cjs' },
    sourcemap: 'linked',
    sourcesContent: false,
    define: { 'import.meta.url': 'partUrl' },
    banner: {
      js: `(function (exports, require, module, __filename) { "use strict"; const partUrl = require("node:url").pathToFileURL(__filename).href; ${LATER}`,
    },
    footer: { js: '})' },
  });
  const code = outputFiles.find(({ path }) => path.endsWith('.cjs'));
  const map = outputFiles.find(({ path }) => path.endsWith('.map'));
  if (/[^\x00-\x7f]/.test(code.text)) throw new Error(`${name} is not ASCII`);
  return {
    name,
    uses,
    file: basename(code.path),
    code: name === 'list' ? loadLater(code.text) : code.text,
    map: map.text,
    inputs: Object.keys(metafile.inputs),
  };
}

function loadLater(code) {
  return code.replace(/require\("node:([a-z_/0-9]+)"\)/g, (found, id) =>
    NODE_LATER.includes(id) ? found.replace('require', 'laterOn') : found,
  );
}

// A program: what starts, and shows the help, which needs nothing of its part.
async function buildProgram(name, contents, part) {
  const load = ({ file }, use) => `loadPart(__dirname + '/parts/${file}', ${use})`;
  const isFetching = `process.argv.some((word) => /^(${FETCHING.join('|')})$/.test(word))`;
  const chosen =
    part !== commands
      ? load(part, `'run'`)
      : `process.argv[2] === 'list' ? ${load(list, `'list'`)} : ${load(part, `${isFetching} ? 'fetch' : 'look'`)}`;
  const loads = `const { loadPart } = require('./base/load-part.js'); module.exports = ${chosen};`;
  const source = resolve('dist/src');
  const { outputFiles } = await build({
    ...common,
    stdin: { contents, resolveDir: source, sourcefile: `${name}.js` },
    outfile: join(BIN, `${name}.cjs`),
    banner: { js: '#!/usr/bin/env node\n"use strict";' },
    plugins: [
      {
        name: 'cut-part',
        setup({ onResolve, onLoad }) {
          onResolve(
            {
              filter:
                /^\.\/(cli\/|store\/embedded\/)?(run-command-line|commands\/[a-z-]+|runtime-main|object-thread-main)\.js$/,
            },
            () => ({
              path: part.name,
              namespace: 'part',
            }),
          );
          onLoad({ filter: /./, namespace: 'part' }, () => ({
            contents: loads,
            resolveDir: source,
          }));
        },
      },
    ],
  });
  return { file: `${name}.cjs`, code: outputFiles[0].text };
}

// Runs the part as it will be run, as far as that goes without a host to do things to, and keeps what V8 compiled then. What
// does not work on the machine that builds (without root, say) is compiled by each command that needs it, as without all this.
function warmUp(part, use) {
  execFileSync(process.execPath, ['packaging/warm-up.mjs', use, join(PARTS, part.file)], {
    // What fails there says so, and is meant to.
    stdio: ['ignore', 'ignore', use === 'run' ? 'ignore' : 'inherit'],
  });
}

// The licences of what is in the parts, as they ask for.
function thirdPartyNotices(parts) {
  const folders = new Set(
    parts
      .flatMap(({ inputs }) => inputs)
      .flatMap((path) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []),
  );
  const notices = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(
      readFileSync(join(folder, 'package.json'), 'utf8'),
    );
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${folder} has no licence file`);
    return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
  });
  // Inside undici's WebAssembly, with no file of its own in the package; the terms are the same.
  const terms = readFileSync('node_modules/undici/LICENSE', 'utf8').replace(
    /^.*?(?=Permission)/s,
    '',
  );
  notices.push(`llhttp (MIT)\n\nCopyright Fedor Indutny, 2018.\n\n${terms}`);
  return `The programs in this folder contain code of these packages.\n\n${notices.join(`\n${'-'.repeat(72)}\n\n`)}`;
}

function writeNew(file, text, mode = 0o644) {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  writeFileSync(`${file}.new`, text, { mode });
  renameSync(`${file}.new`, file);
}
