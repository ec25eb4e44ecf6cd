import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LauncherStatus } from '../../src/runtime/launcher-status.js';
import { BerthInTree } from '../support/berth-in-tree.js';
import { each } from '../support/each.js';
import { ContainerBed, launcher } from '../support/launched-container.js';
import { runCommand } from '../support/run-command.js';
import type { ConfigChanges } from '../support/runtime-config.js';
import { PROGRAM } from '../torture/program.js';
import { supervise } from '../torture/supervise.js';

// Labels of SELinux and AppArmor: asked for where their module is, and then given, or the program does not run.

interface Row {
  readonly name: string;
  readonly changes: ConfigChanges;
  readonly parent: string;
  readonly module: string;
  readonly status: number;
  readonly says: RegExp;
}

each<Row>(
  'F41 a label that cannot be set stops the service where its module is',
  [
    {
      name: 'of SELinux',
      changes: { process: { selinuxLabel: 'system_u:system_r:nowhere_t:s0' } },
      parent: '/sys/fs',
      module: '/sys/fs/selinux',
      status: LauncherStatus.label,
      says: /attr\/exec/,
    },
    {
      name: 'of what SELinux finds in mounts',
      changes: {
        mounts: [{ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' }],
        linux: {
          namespaces: [{ type: 'mount' }],
          mountLabel: 'system_u:object_r:nowhere_t:s0',
        },
      },
      parent: '/sys/fs',
      module: '/sys/fs/selinux',
      status: 246, // MOUNT
      says: /mount option.*context/,
    },
    {
      name: 'of AppArmor',
      changes: { process: { apparmorProfile: 'berth-test-nowhere' } },
      parent: '/sys/kernel',
      module: '/sys/kernel/security/apparmor',
      status: LauncherStatus.label,
      says: /attr\/apparmor\/exec/,
    },
  ],
  async ({ changes, parent, module, status, says }) => {
    using bed = new ContainerBed();
    bed.compile(['say', 'runs'], changes);
    // The control: images name the labels of the hosts that they were made on; without the module there is nothing to ask.
    const without = await bed.launch();
    assert.equal(without.status, 0, without.stderr);
    assert.match(without.stdout, /runs/);
    const script = `mount -t tmpfs none ${parent} && mkdir -p ${module} && exec "$@"`;
    const place = ['unshare', '--mount', 'sh', '-c', script, 'sh'];
    const refused = await runCommand([...place, launcher, bed.plan]);
    assert.equal(refused.status, status, refused.stderr);
    assert.doesNotMatch(refused.stdout, /runs/, 'it runs without its label');
    assert.match(refused.stderr, says);
  },
);

test('F41 what berth makes gets no label that is left set for what comes after', async () => {
  using tree = new BerthInTree();
  const roots = [tree.path, '/proc'];
  const labelled = await supervise(['sh', '-c', 'echo label >/proc/self/attr/fscreate'], { roots });
  const isLabel = ({ places }: { readonly places: readonly string[] }): boolean =>
    places.some((place) => place.includes('/attr/'));
  assert.ok(labelled.calls.some(isLabel), 'the control: such a call is seen');
  const argv = [process.execPath, PROGRAM, '--root', tree.path, 'install'];
  const run = await supervise([...argv, tree.makeImage('web', [{ path: 'srv/' }])], { roots });
  assert.equal(run.status, 0, run.stderr);
  assert.ok(run.calls.length > 50);
  assert.deepEqual(run.calls.filter(isLabel), []);
});
