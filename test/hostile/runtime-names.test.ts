import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OperationalError } from '../../src/errors/operational-error.js';
import { compileLaunchPlan } from '../../src/runtime/compile-launch-plan.js';
import { parseMountOptions } from '../../src/runtime/mount-options.js';
import { each } from '../support/each.js';
import { runtimeConfig, type ConfigChanges } from '../support/runtime-config.js';

/** What every object answers to: a table that is indexed by such a name has something there. */
const NAMES = Object.getOwnPropertyNames(Object.prototype);

each<{ name: string; changes: (name: string) => ConfigChanges }>(
  'C25 C26 M06 a name that every object has is refused as any unknown one:',
  [
    {
      name: 'a flag of seccomp',
      changes: (name) => seccomp({ defaultAction: 'SCMP_ACT_ALLOW', flags: [name] }),
    },
    { name: 'an action of seccomp', changes: (name) => seccomp({ defaultAction: name }) },
    { name: 'a personality', changes: (domain) => linux({ personality: { domain } }) },
    { name: 'a propagation', changes: (name) => linux({ rootfsPropagation: name }) },
    {
      name: 'a scheduler',
      changes: (policy) => ({ process: { scheduler: { policy } } }),
    },
    {
      name: 'a class of I/O priority',
      changes: (name) => ({ process: { ioPriority: { class: name, priority: 0 } } }),
    },
    { name: 'a limit', changes: (name) => linux({ resources: { unified: { [name]: '1' } } }) },
    { name: 'a memory policy', changes: (mode) => linux({ memoryPolicy: { mode } }) },
  ],
  ({ changes }) => {
    for (const name of NAMES.filter((one) => one !== '__proto__')) {
      for (const standalone of [false, true]) {
        if (standalone && 'resources' in (changes(name).linux ?? {})) continue; // the cgroup's own to refuse
        assert.throws(
          () =>
            compileLaunchPlan(runtimeConfig(changes(name)), {
              name: 'box',
              rootfs: '/nowhere/rootfs',
              standalone,
            }),
          (error) => error instanceof OperationalError && error.message.includes(`'${name}'`),
          `${name} was taken for a word of the specification`,
        );
      }
    }
  },
);

test("C26 M06 mount options of such names are the file system's", () => {
  assert.deepEqual(parseMountOptions(NAMES).data, NAMES);
});

test('control: a table that is indexed finds them', () => {
  const table: Readonly<Record<string, number>> = { LINUX: 0 };
  for (const name of NAMES) assert.notEqual(table[name], undefined, name);
});

function linux(changes: object): ConfigChanges {
  return { linux: { namespaces: [{ type: 'pid' }, { type: 'mount' }], ...changes } };
}

function seccomp(profile: object): ConfigChanges {
  return linux({ seccomp: profile });
}
