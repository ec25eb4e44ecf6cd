import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';

import type { DeployedFile } from '../../../src/containers/deployment.js';
import { compareFile, sha256Of } from '../../../src/containers/file-state.js';
import { placeFiles, type PlaceFilesOptions } from '../../../src/containers/place-files.js';
import { removeFiles } from '../../../src/containers/remove-files.js';
import type { OperationalError } from '../../../src/errors/operational-error.js';
import { assertFails } from '../../support/assert-fails.js';
import { doMeanwhile } from '../../support/do-meanwhile.js';
import { pathsInFolder } from '../../support/host-tree-paths.js';
import { TempDir } from '../../support/temp-dir.js';

const DEPLOYMENT = '/var/lib/berth/etcd.0';

function prepare(root: string): { paths: ReturnType<typeof pathsInFolder>; files: DeployedFile[] } {
  const paths = pathsInFolder(root);
  mkdirSync(`${root}${DEPLOYMENT}/rootfs/exports`, { recursive: true });
  writeFileSync(`${root}${DEPLOYMENT}/etcd.service`, '[Service]\n');
  writeFileSync(`${root}${DEPLOYMENT}/rootfs/exports/ctl`, 'program');
  const file = (path: string, text: string, source: string): DeployedFile => {
    const isUnit = path.startsWith('/etc/systemd/');
    const [role, mode] = isUnit ? (['unit', 0o644] as const) : (['host-file', 0o755] as const);
    return { role, path, kind: 'file', sha256: sha256Of(text), mode, source };
  };
  return {
    paths,
    files: [
      file('/etc/systemd/system/etcd.service', '[Service]\n', 'etcd.service'),
      { role: 'host-file', path: '/opt', kind: 'directory', sha256: '', mode: 0o755, source: '' },
      file('/opt/ctl', 'program', 'rootfs/exports/ctl'),
    ],
  };
}

function fresh(files: readonly DeployedFile[]): PlaceFilesOptions {
  return { files, previous: [], onForeign: 'refuse' };
}

const WHOLE = { shared: new Set<string>(), saveChanged: true };

test('placeFiles() writes everything, twice without harm, and removeFiles() takes it away again', async () => {
  using dir = new TempDir();
  const { paths, files } = prepare(dir.path);
  await placeFiles(paths, DEPLOYMENT, fresh(files));
  await placeFiles(paths, DEPLOYMENT, fresh(files));
  assert.equal(readFileSync(`${dir.path}/opt/ctl`, 'utf8'), 'program');
  assert.equal(lstatSync(`${dir.path}/opt/ctl`).mode & 0o7777, 0o755);
  assert.equal(
    lstatSync(`${dir.path}/opt/ctl`).nlink,
    1,
    'H11: a hard link into the checkout is a way to change the store',
  );
  assert.deepEqual(await removeFiles(paths, files, WHOLE), { kept: [], saved: [] });
  assert.ok(!existsSync(`${dir.path}/opt`));
  assert.ok(!existsSync(`${dir.path}/etc/systemd/system/etcd.service`));
});

test('placeFiles() never replaces what stands there, nor writes through a link', async () => {
  using dir = new TempDir();
  const { paths, files } = prepare(dir.path);
  writeFileSync(`${dir.path}/victim`, 'untouched');
  symlinkSync('/victim', `${dir.path}/etc/systemd/system/etcd.service`);
  await assertFails('HOST_FILE_EXISTS', () => placeFiles(paths, DEPLOYMENT, fresh(files)));
  assert.equal(
    readFileSync(`${dir.path}/victim`, 'utf8'),
    'untouched',
    'host file was changed through a link',
  );
});

test('placeFiles() does not follow a link inside the image', async () => {
  using dir = new TempDir();
  const { paths, files } = prepare(dir.path);
  const outside = {
    ...files[2],
    source: 'rootfs/exports/out/secret',
    sha256: sha256Of('secret'),
  } as DeployedFile;
  mkdirSync(`${dir.path}/outside`);
  writeFileSync(`${dir.path}/outside/secret`, 'secret');
  symlinkSync(`${dir.path}/outside`, `${dir.path}${DEPLOYMENT}/rootfs/exports/out`);
  await assert.rejects(placeFiles(paths, DEPLOYMENT, fresh([...files.slice(1, 2), outside])), {
    code: 'ENOTDIR',
  });
  assert.ok(
    !existsSync(`${dir.path}/opt/ctl`),
    'a file of the host was copied through a link of the image',
  );
});

test('removeFiles() keeps a host file that was changed and puts a changed unit aside (H12, H13)', async () => {
  using dir = new TempDir();
  const { paths, files } = prepare(dir.path);
  await placeFiles(paths, DEPLOYMENT, fresh(files));
  writeFileSync(`${dir.path}/opt/ctl`, 'changed');
  writeFileSync(`${dir.path}/etc/systemd/system/etcd.service`, 'changed');
  const removed = await removeFiles(paths, files, WHOLE);
  assert.deepEqual(removed.kept, ['/opt/ctl']);
  assert.deepEqual(removed.saved, ['/etc/systemd/system/etcd.service.save']);
  assert.equal(readFileSync(`${dir.path}/opt/ctl`, 'utf8'), 'changed');
});

test('removeFiles() leaves what another container shares, and foreign units when an install is taken back', async () => {
  using dir = new TempDir();
  const { paths, files } = prepare(dir.path);
  await placeFiles(paths, DEPLOYMENT, fresh(files));
  writeFileSync(`${dir.path}/etc/systemd/system/etcd.service`, 'of somebody else');
  await removeFiles(paths, files, { shared: new Set(['/opt/ctl']), saveChanged: false });
  assert.ok(existsSync(`${dir.path}/opt/ctl`));
  assert.equal(
    readFileSync(`${dir.path}/etc/systemd/system/etcd.service`, 'utf8'),
    'of somebody else',
  );
});

test('F18 placeFiles() puts what two containers have there once, whoever of the two is first', async () => {
  using dir = new TempDir();
  const { paths, files } = prepare(dir.path);
  const shared = files.slice(1);
  for (let round = 0; round < 50; round += 1) {
    const both = [1, 2].map(() => placeFiles(paths, DEPLOYMENT, fresh(shared)));
    assert.deepEqual(await Promise.all(both), [[], []]);
    assert.deepEqual(readdirSync(`${dir.path}/opt`), ['ctl']);
    await removeFiles(paths, shared, WHOLE);
  }
  // What stands there since it was looked at is refused where it is another's.
  const [folder, file] = shared as [DeployedFile, DeployedFile];
  const other = { ...file, sha256: sha256Of('[Service]\n'), source: 'etcd.service' };
  for (let round = 0; round < 50; round += 1) {
    const both = [file, other].map((one) => placeFiles(paths, DEPLOYMENT, fresh([folder, one])));
    const ended = await Promise.allSettled(both);
    assert.deepEqual(ended.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    for (const one of ended)
      if (one.status === 'rejected')
        assert.equal((one.reason as OperationalError).code, 'HOST_FILE_EXISTS');
    await removeFiles(paths, [folder, file], WHOLE);
    await removeFiles(paths, [folder, other], WHOLE);
  }
});

test('compareFile() calls missing what goes while it is looked at', async () => {
  using dir = new TempDir();
  const path = `${dir.path}/file`;
  const comeAndGo = "fs.writeFileSync(data, ''); fs.unlinkSync(data);";
  const seen = new Set<string>();
  await doMeanwhile(comeAndGo, path, async () => {
    for (let look = 0; look < 3000; look += 1)
      seen.add(await compareFile(path, { kind: 'file', sha256: sha256Of('') }));
  });
  assert.deepEqual([...seen].sort(), ['missing', 'same']);
});
