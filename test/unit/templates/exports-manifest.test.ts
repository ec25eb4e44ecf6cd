import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseExportsManifest } from '../../../src/templates/exports-manifest.js';
import { parseTemplate } from '../../../src/templates/parse-template.js';
import {
  findRenameVariables,
  renameHostPath,
  renderRenameFiles,
} from '../../../src/templates/render-text.js';
import { renderTmpfiles } from '../../../src/templates/render-tmpfiles.js';
import { valuesOf } from '../../support/template-values.js';

test('parseExportsManifest() reads what published images have', () => {
  const manifest = parseExportsManifest(`{
    "version": "1.0",
    "defaultValues": { "CONF_DIRECTORY" : "/etc", "PORT": 80, "ADDTL_MOUNTS": "" },
    "renameFiles": { "/etc/etcd/etcd.conf": "$CONF_DIRECTORY/$NAME/etcd.conf" },
    "installedFilesTemplate": ["/usr/local/lib/message"],
    "useLinks": false,
    "comment": "ours"
  }`);
  assert.deepEqual(
    [...manifest.defaultValues],
    [
      ['CONF_DIRECTORY', '/etc'],
      ['PORT', '80'],
      ['ADDTL_MOUNTS', ''],
    ],
  );
  assert.deepEqual(findRenameVariables(manifest), ['CONF_DIRECTORY', 'NAME']);
  assert.deepEqual(manifest.installedFilesTemplate, ['/usr/local/lib/message']);
  assert.equal(manifest.useLinks, false);
  assert.equal(manifest.noContainerService, false);
  assert.deepEqual(manifest.unknownMembers, ['comment']);
  const table = renderRenameFiles(manifest, valuesOf({ CONF_DIRECTORY: '/etc/', NAME: 'e2' }));
  assert.deepEqual([...table], [['/etc/etcd/etcd.conf', '/etc/e2/etcd.conf']]);
});

test('renameHostPath() renames a folder and what is in it, from the top, and looks again', () => {
  const table = new Map([
    ['/etc/a', '/etc/b'],
    ['/etc/b/x', '/srv/x'],
    ['/etc/c', '/etc/a'],
  ]);
  assert.equal(renameHostPath('/etc/a/y', table), '/etc/b/y');
  assert.equal(renameHostPath('/etc/a/x', table), '/srv/x');
  assert.equal(renameHostPath('/etc/c', table), '/etc/a');
  assert.equal(renameHostPath('/usr/bin/z', table), '/usr/bin/z');
});

test("renderTmpfiles() renders etcd's lines as they always were", () => {
  const text =
    '# etcd\nd    ${STATE_DIRECTORY}/etcd/${NAME}.etcd   0700 ${HOST_UID} ${HOST_GID} - -\nd    ${RUN_DIRECTORY}/${NAME}               -        -           -       - -\n';
  const values = valuesOf({
    STATE_DIRECTORY: '/var/lib',
    NAME: 'etcd',
    HOST_UID: '0',
    HOST_GID: '0',
    RUN_DIRECTORY: '/run',
  });
  assert.equal(
    renderTmpfiles(parseTemplate('tmpfiles.template', text), values),
    '# etcd\nd    /var/lib/etcd/etcd.etcd   0700 0 0 - -\nd    /run/etcd               -        -           -       - -\n',
  );
});
