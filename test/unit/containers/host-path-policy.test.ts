import assert from 'node:assert/strict';

import { assertHostPathAllowed, covers } from '../../../src/containers/host-path-policy.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

each(
  'assertHostPathAllowed() allows',
  [
    // What the images published for atomic bring.
    '/etc/etcd/etcd.conf',
    '/etc/docker/container-daemon.json',
    '/etc/kubernetes/config',
    '/etc/sysconfig/flanneld',
    '/etc/snmp/snmpd.conf',
    '/etc/cni/net.d/10-x.conf',
    '/usr/local/bin/etcdctl',
    '/var/lib/net-snmp/x',
    '/etc/oci-umount.conf',
  ].map((path) => ({ name: path, path })),
  ({ path }) => {
    assertHostPathAllowed(path, { allowed: [] });
  },
);

each(
  'assertHostPathAllowed() refuses H02',
  [
    '/etc/passwd',
    '/etc/shadow',
    '/etc/nologin',
    '/etc/sudoers.d/x',
    '/etc/ld.so.preload',
    '/etc/cron.d/x',
    '/etc/pam.d/login',
    '/etc/systemd/system/sshd.service',
    '/etc/systemd/system/sshd.service.d/x.conf',
    '/etc/tmpfiles.d/x.conf',
    '/etc/udev/rules.d/x.rules',
    '/etc/profile.d/x.sh',
    '/etc/ssh/sshd_config',
    '/root/.ssh/authorized_keys',
    '/home/u/.bashrc',
    '/boot/vmlinuz',
    '/proc/sys/kernel/core_pattern',
    '/sys/x',
    '/dev/null',
    '/run/systemd/system/x.service',
    '/usr/bin/ls',
    '/usr/lib/systemd/system/x.service',
    '/lib/x',
    '/sbin/init',
    '/var/lib/berth/etcd.0/launch.plan',
    '/var/spool/cron/root',
    '/etc/containers/policy.json',
    '/var/lib/dpkg/status',
    '/usr/local/sbin/x',
    '/etc/cloud/cloud.cfg.d/x.cfg',
    '/etc/needrestart/conf.d/x.conf',
    '/etc/bash_completion.d/x',
    '/usr/share/dbus-1/system-services/x.service',
    '/etc/docker/daemon.json',
    '/etc/credstore/x',
    '/etc/nftables.conf',
    '/etc/iptables/rules.v4',
  ].map((path) => ({ name: path, path })),
  async ({ path }) => {
    await assertFails('HOST_PATH_REFUSED', () => {
      assertHostPathAllowed(path, { allowed: ['/etc/other'] });
    });
    assertHostPathAllowed(path, { allowed: [path] });
  },
);

each(
  'assertHostPathAllowed() refuses, whatever is allowed,',
  [
    { name: 'H07 a relative path', path: 'etc/x' },
    { name: 'H07 an empty path', path: '' },
    { name: 'H07 dot dot', path: '/etc/x/../passwd' },
    { name: 'H07 a newline', path: '/etc/x\ny' },
    { name: 'the root', path: '/' },
    { name: 'a doubled slash', path: '/etc//x' },
    { name: 'a trailing slash', path: '/etc/x/' },
  ],
  async ({ path }) => {
    await assertFails('HOST_PATH_REFUSED', () => {
      assertHostPathAllowed(path, { allowed: ['/'] });
    });
  },
);

each(
  'covers()',
  [
    { name: 'itself', folder: '/etc/x', path: '/etc/x', want: true },
    { name: 'what is below', folder: '/etc/x', path: '/etc/x/y', want: true },
    { name: 'not a longer name', folder: '/etc/x', path: '/etc/xy', want: false },
    { name: 'everything below the root', folder: '/', path: '/etc', want: true },
  ],
  ({ folder, path, want }) => {
    assert.equal(covers(folder, path), want);
  },
);
