// Shows berth at work on a fresh machine with nothing but Node and git: prepares what is needed, then runs the
// demonstration (test/demo). `npm run demo`, with `-- --keep` to look around, or `-- --suite bookworm`.
import { existsSync, statSync } from 'node:fs';
import { spawnSync } from 'node:child_process';

function run(program, ...args) {
  const { status } = spawnSync(program, args, { stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
}

if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
  process.stderr.write('demo: it boots a Debian tree, which needs root on a Debian machine\n');
  process.exit(77);
}
const installed = 'node_modules/.package-lock.json';
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync('package-lock.json').mtimeMs) {
  run('npm', 'ci', '--no-audit', '--no-fund', '--loglevel=error');
}
run('npm', 'run', '--silent', 'build');
run(process.execPath, 'dist/test/setup/main.js');
const demo = spawnSync(process.execPath, ['dist/test/demo/main.js', ...process.argv.slice(2)], {
  stdio: 'inherit',
});
process.exit(demo.status ?? 1);
