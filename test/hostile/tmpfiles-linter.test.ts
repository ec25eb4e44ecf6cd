import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';

import { OperationalError } from '../../src/errors/operational-error.js';
import { checkTmpfiles } from '../../src/systemd/check-tmpfiles.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { TempDir } from '../support/temp-dir.js';
import { tmpfilesOptionsOf } from '../support/tmpfiles-options.js';

// P22: lines that systemd-tmpfiles would carry out as root at every boot. The container is called `web`.

const rows: readonly { name: string; line: string; container?: string }[] = [
  {
    name: 'what a link of its image leads to',
    line: 'L /run/web/l - - - - /var/lib/berth/web/rootfs/x\nw+ /run/web/l - - - - x::0:0:::',
  },
  {
    name: 'what its container puts a link in place of',
    line: 'w /var/lib/web/file - - - - x::0:0:::',
  },
  {
    name: 'a link to a link of its image',
    line: 'L /run/web/l - - - - /var/lib/berth/web/rootfs/linked',
  },
  {
    name: 'the same by a relative path',
    line: 'L /var/lib/web/l - - - - ../berth/web/rootfs/linked',
  },
  {
    name: 'a copy from behind a link of its image',
    line: 'C /run/web/shadow - - - - /var/lib/berth/web/rootfs/linked/shadow',
  },
  { name: 'a link to where a specifier leads', line: 'L /run/web/l - - - - %h/.ssh' },
  { name: 'a setting of the kernel', line: 'w /proc/sys/kernel/core_pattern - - - - |/x' },
  { name: 'a link for the accounts', line: 'L+ /etc/passwd - - - - /tmp/x' },
  {
    name: 'a link for the accounts from a place of its own name',
    container: 'passwd',
    line: 'L+ /etc/passwd - - - - /etc/passwd',
  },
  {
    name: 'a drop-in of sudo, by its own name',
    container: 'sudoers.d',
    line: 'f /etc/sudoers.d/x 0440 root root - ALL ALL=(ALL) NOPASSWD: ALL',
  },
  { name: 'the owner of everything', line: 'Z / 0777 33 33 - -' },
  { name: 'the removal of everything', line: 'R /' },
  { name: 'the removal of a database', line: 'R /var/lib/postgresql' },
  { name: 'the removal of its neighbours by a wildcard', line: 'R /var/lib/*' },
  { name: 'a wildcard that only ends in its name', line: 'R /var/lib/*/web' },
  { name: 'a wildcard in its name', line: 'R /var/lib/web*' },
  { name: 'a name that only begins like its own', line: 'R /var/lib/website' },
  { name: 'a copy out of the host', line: 'C /run/web/shadow - - - - /etc/shadow' },
  {
    name: 'a copy by a path that leads out',
    line: 'C /run/web/x - - - - /var/lib/berth/web/rootfs/../../../../etc/shadow',
  },
  { name: 'a copy of the factory defaults', line: 'C /etc/web/x' },
  { name: 'a link out of its place', line: 'L /run/web/x - - - - /etc/shadow' },
  { name: 'a relative link out of its place', line: 'L /run/web/x - - - - ../../etc/shadow' },
  {
    name: 'a way out by a link of the image',
    line: 'L /run/web - - - - /var/lib/berth/web/rootfs/x\nf /run/web/cron.d/y - - - - * * * * * root x',
  },
  {
    name: 'the same by a wildcard',
    line: 'L /run/web/a - - - - /var/lib/berth/web/rootfs/x\nw /run/web/*/passwd - - - - x::0:0:::',
  },
  {
    name: 'a way out by a copied link of the image',
    line: 'C /etc/web - - - - /var/lib/berth/web/rootfs/x\nf /etc/web/cron.d/y - - - - * * * * * root x',
  },
  { name: 'a disk', line: 'b /run/web/sda 0666 - - - 8:0' },
  { name: 'memory', line: 'c /run/web/mem 0666 - - - 1:1' },
  { name: 'a shell with the rights of root', line: 'f /run/web/sh 4755' },
  { name: 'one where nothing stands yet', line: 'f /run/web/sh :4755' },
  { name: 'one with what bits there are', line: 'f /run/web/sh ~4755' },
  {
    name: 'a copied shell with the rights of root',
    line: 'C /run/web/sh 6755 - - - /var/lib/berth/web/rootfs/bin/sh',
  },
  { name: 'a foreign directory for itself', line: 'd /var/lib/other 0700 33 33' },
  { name: 'a foreign directory for everybody', line: 'd /var/lib/other 0777' },
  { name: 'a foreign directory that is emptied', line: 'D /var/lib/other' },
  {
    name: 'a file in the drop-ins of another unit',
    line: 'f /etc/systemd/system/docker.service.d/web.conf 0644 - - - [Service]',
  },
  { name: "another one's drop-in", line: 'r /etc/systemd/system/docker.service.d/admin.conf' },
  { name: 'a unit', line: 'f /etc/systemd/system/web.service 0644' },
  { name: 'a path with ..', line: 'd /run/web/../../etc/cron.d' },
  { name: 'a path with .. by escapes', line: 'd /run/web/\\x2e\\x2e/../etc/cron.d' },
  { name: 'a name by a specifier that the host decides', line: 'd /run/%H/web' },
  { name: 'access lists of a directory that is not its own', line: 'a /etc - - - - u:web:rwx' },
  { name: 'a mode that is none', line: 'd /run/web 8888' },
  { name: 'an unknown type', line: 'y /run/web' },
  { name: 'an open quote', line: 'd "/run/web' },
  { name: 'a relative path', line: 'd run/web' },
];

each('P22 the tmpfiles linter refuses', rows, ({ line, container }) => {
  assert.throws(
    () => checkTmpfiles(`${line}\n`, tmpfilesOptionsOf(container ?? 'web')),
    (error) =>
      error instanceof OperationalError &&
      (error.code === 'TMPFILES_INVALID' || error.code === 'HOST_PATH_REFUSED'),
    'this line would be carried out by root at every boot',
  );
});

each(
  'P22 lines go through nothing that the container can put a link in place of',
  [
    { name: 'a file', line: 'f /var/lib/web/d/cron.d/x 0644 - - - evil' },
    { name: 'a folder of its own', line: 'd /var/lib/web/d/x 0700' },
    { name: 'by a wildcard', line: 'z /var/lib/web/*/shadow 0666' },
    { name: 'removing', line: 'r /run/web.d/a/b' },
  ],
  async ({ line }) => {
    const lent = ['/var/lib/web', '/run/web.d'];
    await assertFails('TMPFILES_INVALID', () =>
      checkTmpfiles(`${line}\n`, tmpfilesOptionsOf('web', [], lent)),
    );
    checkTmpfiles(`${line}\n`, tmpfilesOptionsOf('web', ['/var/lib/web', '/run/web.d/a'], lent));
  },
);

test('P22 what stands in a lent folder itself is made, and what is deeper where the container may only read', () => {
  const own = 'd /var/lib/web/data 0700\nf /var/lib/web/x\nx /var/lib/web/a/b\n';
  checkTmpfiles(own, tmpfilesOptionsOf('web', [], ['/var/lib/web']));
  checkTmpfiles('d /var/lib/web/a/b\n', tmpfilesOptionsOf('web', [], ['/var/lib/web/a', '/srv']));
});

/** What systemd-tmpfiles itself calls invalid (its EX_DATAERR); all other rows it would carry out. */
const ALSO_REFUSED_BY_SYSTEMD = new Set([
  'a mode that is none',
  'an unknown type',
  'an open quote',
  'a relative path',
]);

each('P22 systemd-tmpfiles alone', rows, ({ name, line }) => {
  using tree = new TempDir();
  mkdirSync(`${tree.path}/etc`);
  const { status } = spawnSync('systemd-tmpfiles', [`--root=${tree.path}`, '--create', '-'], {
    input: `${line}\n`,
    stdio: 'pipe',
  });
  assert.equal(
    status === 65,
    ALSO_REFUSED_BY_SYSTEMD.has(name),
    `systemd-tmpfiles ended with ${String(status)}`,
  );
});
