import assert from 'node:assert/strict';
import { test } from 'node:test';

import { projectRoot } from '../support/cache-folder.js';
import { hostTree, ostreeTreeRecipe } from '../support/host-tree.js';
import { runCommand } from '../support/run-command.js';
import { suites } from '../support/suites.js';

/*
 * The OSTree adapter against each Debian's own libostree (2022.7, 2025.2, 2026.4) and its command, as root and as a user: the
 * unit and hostile tests of the adapter, and the contract of stores over it, run inside a tree of that suite.
 */

const TESTS = [
  'unit/ostree-adapter/repo.test.js',
  'unit/ostree-adapter/features.test.js',
  'hostile/ostree-adapter.test.js',
  'contract/ostree-store.test.js',
  'contract/ostree-archive-store.test.js',
].map((name) => `/opt/berth/dist/test/${name}`);

/** In a mount namespace of its own; the tree stays as it is. */
const ENTER = `
  mount --bind -o ro "$2" "$1/opt/berth"
  mount --bind -o ro "$3" "$1/usr/bin/node"
  mount -t tmpfs -o mode=1777 none "$1/tmp"
  mount -t tmpfs -o mode=1777 none "$1/dev"
  mkdir -m 1777 "$1/dev/shm" && touch "$1/dev/null" && mount --bind /dev/null "$1/dev/null"
  touch "$1/dev/urandom" && mount --bind /dev/urandom "$1/dev/urandom"
  mount -t proc none "$1/proc"
  tree=$1; shift 3
  exec chroot "$tree" "$@"
`;

for (const suite of suites) {
  for (const [who, uid] of [
    ['root', 0],
    ['a user', 1000],
  ] as const) {
    test(`the OSTree adapter on ${suite}, as ${who}`, async () => {
      const tree = await hostTree(ostreeTreeRecipe(suite));
      const user = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
      const result = await runCommand(
        [
          ...['unshare', '--mount', 'sh', '-euc', ENTER, 'sh', tree, projectRoot, process.execPath],
          ...[
            ...user,
            'env',
            '-i',
            'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
            'HOME=/tmp',
            'LANG=C.UTF-8',
          ],
          ...['node', '--test', ...TESTS],
        ],
        { timeoutMs: 300_000 },
      );
      assert.equal(result.status, 0, `${result.stdout}\n${result.stderr}`);
      assert.match(result.stdout, /^# skipped 0$/m);
    });
  }
}
