import assert from 'node:assert/strict';
import { test } from 'node:test';

import { checkTmpfiles } from '../../../src/systemd/check-tmpfiles.js';
import { parseTmpfiles } from '../../../src/systemd/tmpfiles-text.js';
import { generateTmpfiles } from '../../../src/templates/generate-tmpfiles.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { tmpfilesOptionsOf } from '../../support/tmpfiles-options.js';

// What published images have in their tmpfiles, rendered.
each<{ name: string; container: string; text: string; paths: readonly string[] }>(
  'checkTmpfiles() takes',
  [
    {
      name: "etcd's, under another name",
      container: 'etcd2',
      text: 'd    /var/lib/etcd                0700 0 0 - -\nd    /var/lib/etcd/etcd2.etcd   0700 0 0 - -\nZ    /var/lib/etcd/etcd2.etcd   0700 0 0 - -\nd    /run/etcd2               -        -           -       - -\n',
      paths: ['/var/lib/etcd', '/var/lib/etcd/etcd2.etcd', '/run/etcd2'],
    },
    {
      name: "flannel's",
      container: 'flannel',
      text: 'D    /run/flannel   - - - - -\nd    /etc/systemd/system/docker.service.d - - - - -\nr    /etc/systemd/system/docker.service.d/flannel.conf - - - - -\n',
      paths: ['/run/flannel', '/etc/systemd/system/docker.service.d'],
    },
    {
      name: "docker's and kubernetes', with /var/run",
      container: 'docker',
      text: 'd   /var/lib/docker  - - - - -\nd   /var/run/containerd  - - - - -\nd   /var/lib/cni - - - - -\nd /var/log/qemu-ga - - - - -\nd    /var/run         - - - - -\n',
      paths: ['/var/lib/docker', '/run/containerd', '/var/lib/cni', '/var/log/qemu-ga', '/run'],
    },
    { name: 'comments and blank lines', container: 'a', text: '# x\n\n   \n', paths: [] },
    {
      name: 'volumes that are filled from the image',
      container: 'web',
      text: 'd /var/lib/web 0755 - - - -\nC /var/lib/web/a%%2db - - - - /var/lib/berth/web/rootfs/a-b\n',
      paths: ['/var/lib/web', '/var/lib/web/a%2db'],
    },
    {
      name: 'a copy, and a folder in it for a mount',
      container: 'web',
      text: 'C /etc/web - - - - /var/lib/berth/web/rootfs/etc/web\nd /etc/web/x\n',
      paths: ['/etc/web', '/etc/web/x'],
    },
    {
      name: "a copy whose source has '%' in its name",
      container: 'web',
      text: 'C /var/lib/web/data - - - - /var/lib/web/a%%b\n',
      paths: ['/var/lib/web/data'],
    },
    {
      name: 'quotes and escapes',
      container: 'web',
      text: 'f "/run/web/a b" 0600 - - - text with "quotes"\nL /run/web/l" "k - - - - /run/web/a\n',
      paths: ['/run/web/a b', '/run/web/l k'],
    },
    {
      name: 'fixed specifiers',
      container: 'web',
      text: 'd %S/web/x\nd %t/web\n',
      paths: ['/var/lib/web/x', '/run/web'],
    },
    {
      name: "cri-o's, which has a configuration labelled as the host's policy says",
      container: 'cri-o',
      text: 'd /var/lib/containers - - - - -\nZ /etc/crio - - - - -\nz /etc/crictl.yaml\n',
      paths: ['/var/lib/containers'],
    },
    { name: 'its cache', container: 'web', text: 'D /var/cache/web\n', paths: ['/var/cache/web'] },
  ],
  ({ container, text, paths }) => {
    assert.deepEqual(checkTmpfiles(text, tmpfilesOptionsOf(container)).paths, paths);
  },
);

test('checkTmpfiles() warns of what is emptied at every boot', () => {
  assert.deepEqual(checkTmpfiles('D /run/web\n', tmpfilesOptionsOf('web')).warnings, [
    "empties or removes '/run/web' at every boot",
  ]);
});

test('checkTmpfiles() takes what the administrator allowed', async () => {
  const text = 'w /sys/module/x - - - - 1\n';
  await assertFails('HOST_PATH_REFUSED', () => checkTmpfiles(text, tmpfilesOptionsOf('web')));
  checkTmpfiles(text, tmpfilesOptionsOf('web', ['/sys/module']));
});

test('generateTmpfiles() makes missing bind sources, and what it writes is read as it was meant', () => {
  const text = generateTmpfiles({
    bindSources: [
      '/etc/flanneld',
      '/there',
      '/srv/a b%"',
      '/run/made/',
      '/a\nb',
      '/srv/web/x/../y',
      '/',
    ],
    exists: (path) => path === '/there',
    madeElsewhere: new Set(['/run/made/below']),
    uid: 0,
    gid: 0,
  });
  assert.equal(
    text,
    'd /etc/flanneld 0700 0 0 - -\nd "/srv/a b%%\\"" 0700 0 0 - -\nd /srv/web/x/../y 0700 0 0 - -\n',
  );
  const kept = text.split('\n').filter((line) => !line.includes('..'));
  assert.deepEqual(
    parseTmpfiles(kept.join('\n')).map(({ path }) => path),
    ['/etc/flanneld', '/srv/a b%"'],
  );
});
