// Runs compiled tests with node's test runner: `fast` for those that need no booted host, `hosts` for those that do, or both. With
// BERTH_TEST_REPORTS=FOLDER a report in TAP is left there, for whoever adds up the totals.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';

const HOSTS_FOLDER = join('dist', 'test', 'integration');

/** Compiled tests below a folder, sorted. */
function testsBelow(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.test.js'))
    .map((name) => join(folder, name))
    .sort();
}

/** What takes longest begins first, or at the end all else waits for it: whole machines above all. */
const LONGEST = [
  ...[
    'machine-install',
    'runtime-clients',
    'kill-booted',
    'update-keeps',
    'kill-sweep',
    'power-cuts',
  ],
  ...[
    'arm-machine',
    'machine-recover',
    'selinux',
    'whole-machine',
    'systemd-scopes',
    'boot-chain',
    'install-refusals',
  ],
].map((name) => join(HOSTS_FOLDER, `${name}.test.js`));

/** A file of tests waits a good part of its time: for a service, a boot, a disk. */
const FILES_PER_CPU = 1.5;

/** A file has up to three hosts, whose trees lie in memory, half a gigabyte each. */
const MEMORY_OF_HOSTS = 3 * 2 ** 30;

const folder = process.env.BERTH_TEST_REPORTS;
const hosts = testsBelow(HOSTS_FOLDER);
hosts.sort((one, other) => rank(one) - rank(other));

function rank(file) {
  const index = LONGEST.indexOf(file);
  return index < 0 ? LONGEST.length : index;
}

function concurrency(kind) {
  const files = Math.max(2, Math.floor(availableParallelism() * FILES_PER_CPU));
  if (kind !== 'hosts') return files;
  return Math.max(1, Math.min(files, Math.floor(totalmem() / MEMORY_OF_HOSTS)));
}

/** Runs the tests of a kind and gives the status that the runner ended with. */
function run(kind) {
  const files =
    kind === 'hosts'
      ? hosts
      : testsBelow(join('dist', 'test')).filter((file) => !hosts.includes(file));
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
      `--test-concurrency=${concurrency(kind)}`,
      ...files,
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  if (error !== undefined) process.stderr.write(`run-tests: ${error.message}\n`);
  return status ?? 1;
}

// One kind after the other, also where the first has failed: what the other has to say is wanted then, too.
process.exitCode = Math.max(...process.argv.slice(2).map(run));
