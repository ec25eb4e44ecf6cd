// build-deb.mjs [--arch ARCHITECTURE] [FOLDER]: makes a Debian package of the built program, berth_VERSION_ARCHITECTURE.deb, in
// FOLDER (dist), for this machine's architecture or another one. The same checkout gives the same bytes. BERTH_PACKAGE_VERSION
// gives it another version than package.json's.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';

import { PLAN_FORMAT } from '../dist/src/runtime/plan-format.js';
import { manPage } from './man-page.mjs';

// Nothing of who builds may show in the package.
process.umask(0o022);

const { version: ownVersion } = JSON.parse(readFileSync('package.json', 'utf8'));
const version = process.env.BERTH_PACKAGE_VERSION || ownVersion;
const own = output('dpkg', '--print-architecture').trim();
const { values: options, positionals } = parseArgs({
  options: { arch: { type: 'string', default: own } },
  allowPositionals: true,
});
const architecture = options.arch;
// Debian's words and Node's.
const nodeArch = { amd64: 'x64', arm64: 'arm64', [own]: process.arch }[architecture];
if (nodeArch === undefined) fail(`there is no package for '${architecture}': it is amd64 or arm64`);
const launcher = launcherFor(architecture);
if (!existsSync(launcher))
  fail(
    `there is no launcher for ${architecture}: install a cross compiler (gcc-aarch64-linux-gnu for arm64) and run 'npm run build' again`,
  );
const out = resolve(positionals[0] ?? 'dist');
mkdirSync(out, { recursive: true });
// On the file system that it goes to, so that it appears there with one rename.
const place = mkdtempSync(join(out, '.deb-'));
const tree = join(place, 'tree');
const LIB = 'usr/lib/berth';
const NATIVE_KOFFI = `node_modules/@koromix/koffi-linux-${nodeArch}`;
const MAINTAINER = 'berth maintainers <maintainers@berth.invalid>';
try {
  await putProgram();
  putDocuments();
  putShellCompletions();
  putUnits();
  putControl();
  const name = `berth_${version}_${architecture}.deb`;
  execFileSync(
    'dpkg-deb',
    ['--root-owner-group', '-Zxz', '--build', tree, join(place, name)],
    // Times in the package are at most that of the last commit, or the epoch.
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, SOURCE_DATE_EPOCH: lastCommitTime() },
    },
  );
  renameSync(join(place, name), join(out, name));
  process.stdout.write(`${relative('', join(out, name))}\n`);
} finally {
  rmSync(place, { recursive: true });
}

// As in a checkout, without what only building takes: berth finds its files from where it lies (src/base/own-files.ts).
async function putProgram() {
  const copy = (path, filter = () => true) =>
    cpSync(path, join(tree, LIB, path), { recursive: true, filter });
  const { name, license, type } = JSON.parse(readFileSync('package.json', 'utf8'));
  put(`${LIB}/package.json`, `${JSON.stringify({ name, version, license, type }, undefined, 2)}\n`);
  for (const path of ['unit-templates', 'packaging/systemd']) copy(path);
  putLaunchers();
  // Source maps stay out: they are half of the size. What V8 compiled is made where it is installed, for the Node that is there.
  copy('dist/bin', (path) => !/\.map$|\.cjs\.|\.built$/.test(path));
  for (const entry of readdirSync('dist/bin').filter((file) => file.endsWith('.cjs'))) {
    const file = join(tree, LIB, 'dist/bin', entry);
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^#!.*/, '#!/usr/bin/node'));
  }
  await build({
    entryPoints: ['packaging/warm-up.mjs'],
    outfile: join(tree, LIB, 'dist/bin/warm-up.mjs'),
    ...{ bundle: true, platform: 'node', format: 'esm', logLevel: 'warning' },
  });
  putKoffi();
  for (const program of ['berth', 'berth-runtime']) {
    mkdirSync(join(tree, 'usr/bin'), { recursive: true });
    symlinkSync(`../lib/berth/dist/bin/${program}.cjs`, join(tree, 'usr/bin', program));
  }
}

// The package's own, and those for trees of other architectures that were built: the builder's own is one of them elsewhere.
function putLaunchers() {
  for (const other of ['amd64', 'arm64', own].filter((name) => existsSync(launcherFor(name)))) {
    const name = other === architecture ? 'launch' : `launch-${other}`;
    put(`${LIB}/dist/launcher/${name}`, readFileSync(launcherFor(other)));
    chmodSync(join(tree, LIB, 'dist/launcher', name), 0o755);
  }
}

// Where the build has put it.
function launcherFor(name) {
  return name === own ? 'dist/launcher/launch' : `dist/launcher/launch-${name}`;
}

function putKoffi() {
  const koffi = 'node_modules/koffi';
  const native = findNativeKoffi();
  const files = [
    ...['package.json', 'index.cjs', 'indirect.cjs', 'LICENSE.txt'].map((name) =>
      join(koffi, name),
    ),
    ...readdirSync(join(koffi, 'src/koffi'), { recursive: true })
      .filter((name) => name.endsWith('.cjs'))
      .map((name) => join(koffi, 'src/koffi', name)),
  ];
  for (const file of files) put(join(LIB, file), readFileSync(file));
  for (const name of ['package.json', 'index.js', `linux_${nodeArch}/koffi.node`])
    put(join(LIB, NATIVE_KOFFI, name), readFileSync(join(native, name)));
}

// npm installs what is for this machine alone; for another it is fetched, and has to be what the lock file says.
function findNativeKoffi() {
  if (existsSync(NATIVE_KOFFI)) return NATIVE_KOFFI;
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const { version: wanted, integrity } = packages[NATIVE_KOFFI];
  const name = `${NATIVE_KOFFI.replace('node_modules/', '')}@${wanted}`;
  const file = output('npm', 'pack', '--silent', '--pack-destination', place, name).trim();
  const content = readFileSync(join(place, file));
  const digest = `sha512-${createHash('sha512').update(content).digest('base64')}`;
  if (digest !== integrity) throw new Error(`${name} is not what package-lock.json says`);
  execFileSync('tar', ['--extract', '--file', join(place, file), '--directory', place]);
  return join(place, 'package');
}

function putDocuments() {
  for (const page of readdirSync('packaging/man')) {
    const [, title, section] = /^(.+)\.([1-8])\.md$/.exec(page);
    const text = readFileSync(join('packaging/man', page), 'utf8');
    const roff = manPage(text, { title, section, volume: `berth ${version}` });
    put(`usr/share/man/man${section}/${title}.${section}.gz`, compress(roff));
  }
  const documents = 'usr/share/doc/berth';
  put(`${documents}/CHANGELOG.md.gz`, compress(readFileSync('CHANGELOG.md')));
  put(
    `${documents}/changelog.gz`,
    compress(
      `berth (${version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- ${MAINTAINER}  ${releaseDate()}\n`,
    ),
  );
  put(`${documents}/README.md`, readFileSync('README.md'));
  put(
    `${documents}/copyright`,
    'berth: Apache-2.0, whose text is in /usr/share/common-licenses/Apache-2.0.\n\n' +
      'What is packed with it:\n\n' +
      `${readFileSync('dist/bin/THIRD-PARTY', 'utf8')}\nkoffi (MIT)\n\n${readFileSync('node_modules/koffi/LICENSE.txt', 'utf8')}\n` +
      `musl (the launcher is linked with it)\n\n${readFileSync('packaging/deb/musl-license', 'utf8')}`,
  );
  put('etc/berth/berth.conf', readFileSync('packaging/berth.conf'));
  put('usr/share/selinux/packages/berth.cil', readFileSync('packaging/selinux/berth.cil'));
}

function putShellCompletions() {
  const places = {
    bash: 'usr/share/bash-completion/completions/berth',
    zsh: 'usr/share/zsh/vendor-completions/_berth',
    fish: 'usr/share/fish/vendor_completions.d/berth.fish',
  };
  for (const [shell, path] of Object.entries(places))
    put(path, output(process.execPath, 'dist/bin/berth.cjs', 'completion', shell));
}

function putUnits() {
  putUnitsOf('packaging/systemd', 'usr/lib/systemd/system', 'sysinit.target');
  putUnitsOf('packaging/systemd/user', 'usr/lib/systemd/user', 'default.target');
}

function putUnitsOf(from, to, wantedBy) {
  for (const entry of readdirSync(from, { withFileTypes: true }))
    if (entry.isFile()) put(join(to, entry.name), readFileSync(join(from, entry.name)));
  // It does nothing but where something was interrupted, and then it has to be there.
  const wants = join(tree, to, `${wantedBy}.wants`);
  mkdirSync(wants);
  symlinkSync('../berth-recover.service', join(wants, 'berth-recover.service'));
}

function putControl() {
  const files = filesBelow(tree);
  const size = files.reduce(
    (sum, file) => sum + Math.ceil(statSync(join(tree, file)).size / 1024),
    0,
  );
  const values = {
    VERSION: version,
    ARCHITECTURE: architecture,
    MAINTAINER,
    SIZE: String(size),
    FORMAT: String(PLAN_FORMAT),
  };
  const fill = (name) =>
    readFileSync(join('packaging/deb', name), 'utf8').replaceAll(
      /@([A-Z]+)@/g,
      (found, key) => values[key] ?? found,
    );
  put('DEBIAN/control', fill('control.in'));
  put('DEBIAN/triggers', fill('triggers'));
  put('DEBIAN/conffiles', '/etc/berth/berth.conf\n');
  put(
    'DEBIAN/md5sums',
    files
      .filter((file) => !file.startsWith('etc/'))
      .map(
        (file) =>
          `${createHash('md5')
            .update(readFileSync(join(tree, file)))
            .digest('hex')}  ${file}\n`,
      )
      .join(''),
  );
  for (const script of ['postinst', 'prerm', 'postrm']) {
    put(`DEBIAN/${script}`, fill(script));
    chmodSync(join(tree, 'DEBIAN', script), 0o755);
  }
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

function put(path, content) {
  const file = join(tree, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

function compress(content) {
  return gzipSync(content, { level: 9 });
}

function fail(problem) {
  process.stderr.write(`build-deb: ${problem}\n`);
  process.exit(1);
}

function output(program, ...args) {
  return execFileSync(program, args, { encoding: 'utf8' });
}

// As `date -R` writes it.
function releaseDate() {
  return new Date(Number(lastCommitTime()) * 1000).toUTCString().replace('GMT', '+0000');
}

function lastCommitTime() {
  try {
    return execFileSync('git', ['log', '-1', '--format=%ct'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return process.env.SOURCE_DATE_EPOCH ?? '0';
  }
}
