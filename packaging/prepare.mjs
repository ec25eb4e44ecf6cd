// Makes a clean clone on a fresh Debian machine, with nothing but Node and git, ready for the tests, the demonstration and
// the benchmark: node_modules, a C compiler for the launcher, the build, and what test/setup installs and makes.
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
if (!existsSync('/usr/bin/cc') || !existsSync('/usr/include/stdio.h')) {
  run('apt-get', 'update', '--quiet=2');
  run('apt-get', 'install', '--yes', '--quiet=2', '--no-install-recommends', 'gcc', 'libc6-dev');
}
const installed = 'node_modules/.package-lock.json';
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync('package-lock.json').mtimeMs) {
  run('npm', 'ci', '--no-audit', '--no-fund', '--loglevel=error');
}
run('npm', 'run', '--silent', 'build');
run(process.execPath, 'dist/test/setup/main.js');
