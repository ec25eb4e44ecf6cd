// Shows berth at work on a fresh machine with nothing but Node and git: prepares what is needed, then runs the
// demonstration (test/demo). `npm run demo`, with `-- --keep` to look around, or `-- --suite bookworm`.
import { spawnSync } from 'node:child_process';

await import('./prepare.mjs');
const demo = spawnSync(process.execPath, ['dist/test/demo/main.js', ...process.argv.slice(2)], {
  stdio: 'inherit',
});
process.exit(demo.status ?? 1);
