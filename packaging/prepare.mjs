// Makes a clean clone on a fresh Debian machine, with nothing but Node and git, ready for the tests, the demonstration and
// the benchmark: node_modules, C compilers for the launcher, the build, and what test/setup installs and makes.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';

function run(program, ...args) {
  const { status, error } = spawnSync(program, args, { stdio: ['ignore', 2, 2] });
  if (status === 0) return;
  process.stderr.write(
    `prepare: ${program} failed${error === undefined ? '' : `: ${error.message}`}\n`,
  );
  process.exit(status ?? 1);
}

if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
  process.stderr.write(
    "prepare: it installs Debian packages and boots Debian trees, which needs root on a Debian machine; 'npm run check' needs neither\n",
  );
  process.exit(77);
}
const wanted = [];
if (!existsSync('/usr/bin/cc') || !existsSync('/usr/include/stdio.h'))
  wanted.push('gcc', 'libc6-dev');
if (!existsSync('/usr/bin/musl-gcc')) wanted.push('musl-tools');
// The launcher for the other architecture that berth is tested on.
const [compiler, packages] =
  process.arch === 'arm64'
    ? ['x86_64-linux-gnu-gcc', ['gcc-x86-64-linux-gnu', 'libc6-dev-amd64-cross']]
    : ['aarch64-linux-gnu-gcc', ['gcc-aarch64-linux-gnu', 'libc6-dev-arm64-cross']];
if (!existsSync(`/usr/bin/${compiler}`)) wanted.push(...packages);
if (wanted.length > 0) {
  run('apt-get', 'update', '--quiet=2');
  run('apt-get', 'install', '--yes', '--quiet=2', '--no-install-recommends', ...wanted);
}
const installed = 'node_modules/.package-lock.json';
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync('package-lock.json').mtimeMs) {
  run('npm', 'ci', '--no-audit', '--no-fund', '--loglevel=error', '--fetch-retries=5');
}
run('npm', 'run', '--silent', 'build');
run(process.execPath, 'dist/test/setup/main.js');
