// Runs compiled tests with node's test runner: `fast` for those that need no booted host, `hosts` for those that do, two
// files at a time. With BERTH_TEST_REPORTS=FOLDER a report in TAP is left there, for whoever adds up the totals.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const HOSTS_FOLDER = join('dist', 'test', 'integration');

/** Compiled tests below a folder, sorted. */
function testsBelow(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.test.js'))
    .map((name) => join(folder, name))
    .sort();
}

const kind = process.argv[2];
const hosts = testsBelow(HOSTS_FOLDER);
const files =
  kind === 'hosts'
    ? hosts
    : testsBelow(join('dist', 'test')).filter((file) => !hosts.includes(file));
const folder = process.env.BERTH_TEST_REPORTS;
const reporters =
  folder === undefined
    ? []
    : [
        ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
        ...['--test-reporter=tap', `--test-reporter-destination=${join(folder, `${kind}.tap`)}`],
      ];
const { status, error } = spawnSync(
  process.execPath,
  [
    ...['--test', '--enable-source-maps', ...reporters],
    // A booted host waits more than it works, and more than two of them need more memory than a small machine has.
    ...(kind === 'hosts' ? ['--test-concurrency=2'] : []),
    ...files,
  ],
  { stdio: ['ignore', 'inherit', 'inherit'] },
);
if (error !== undefined) process.stderr.write(`run-tests: ${error.message}\n`);
process.exitCode = status ?? 1;
