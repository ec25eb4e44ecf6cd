import assert from 'node:assert/strict';

import { compileNamespaces } from '../../../src/runtime/compile-namespaces.js';
import { compileSysctl } from '../../../src/runtime/compile-sysctl.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { runtimeConfig } from '../../support/runtime-config.js';

const namespaces = (...types: readonly string[]): ReturnType<typeof compileNamespaces> =>
  compileNamespaces(
    runtimeConfig({
      linux: { namespaces: [{ type: 'mount' }, ...types.map((type) => ({ type }))] },
    }).linux,
  );

each<{ name: string; key: string; path: string }>(
  'compileSysctl() takes',
  [
    { name: 'a parameter of the ipc namespace', key: 'kernel.shmmax', path: 'sys/kernel/shmmax' },
    { name: 'one of its message queues', key: 'fs.mqueue.msg_max', path: 'sys/fs/mqueue/msg_max' },
    { name: 'one of the network', key: 'net.core.somaxconn', path: 'sys/net/core/somaxconn' },
    {
      name: 'one of an interface with a dot',
      key: 'net/ipv4/conf/eth0.1/forwarding',
      path: 'sys/net/ipv4/conf/eth0.1/forwarding',
    },
  ],
  ({ key, path }) => {
    const [instruction] = compileSysctl({ [key]: '1' }, namespaces('ipc', 'network'));
    assert.deepEqual(instruction?.slice(0, 3), ['PROC_WRITE', path, '1']);
  },
);

each<{ name: string; key: string; value?: string; types?: readonly string[] }>(
  'P28 compileSysctl() refuses',
  [
    { name: 'the core pattern of the host', key: 'kernel.core_pattern' },
    { name: 'any other of the kernel', key: 'kernel.modprobe' },
    { name: 'one of virtual memory', key: 'vm.overcommit_memory' },
    // CVE-2022-0811: CRI-O split values at +, and so took a second parameter.
    { name: 'a second one behind a plus', key: 'kernel.shm_rmid_forced+kernel.core_pattern' },
    { name: 'a way up', key: 'net/../kernel/core_pattern' },
    { name: 'a way up with dots', key: 'net...kernel.core_pattern' },
    { name: 'an absolute path', key: '/net/core/somaxconn' },
    { name: 'an empty name', key: '' },
    { name: 'an empty part', key: 'net..core' },
    { name: 'a line break', key: 'net.core\n.x' },
    { name: 'a value of two lines', key: 'net.core.somaxconn', value: '1\n2' },
    { name: 'a value of more than a page', key: 'net.core.somaxconn', value: '1'.repeat(5000) },
    { name: "the network's where it is the host's", key: 'net.core.somaxconn', types: ['ipc'] },
    { name: 'message queues where they are the host', key: 'kernel.msgmax', types: ['network'] },
    {
      name: 'the host name, which has its own member',
      key: 'kernel.hostname',
      types: ['uts', 'ipc'],
    },
  ],
  async ({ key, value, types }) => {
    await assertFails('RUNTIME_CONFIG_INVALID', () =>
      compileSysctl({ [key]: value ?? '1' }, namespaces(...(types ?? ['ipc', 'network']))),
    );
  },
);
