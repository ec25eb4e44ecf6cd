import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';
import { documented } from '../support/check-json.js';
import { readJsonPage } from '../support/json-page.js';
import { TempDir } from '../support/temp-dir.js';
import { unmountAll } from '../../src/sys/unmount.js';

/* Each command's document under --json is what berth-json(7) says: runCommand() compares all that any test runs. */

/** What needs more than a tree, and which test runs it with `--json`. */
const ELSEWHERE = {
  adopt: 'contract/adopt-in-tree.test.ts',
  login: 'contract/registry-accounts.test.ts',
  logout: 'contract/registry-accounts.test.ts',
  restart: 'integration/run-commands.test.ts',
  scan: 'integration/scan.test.ts',
  sign: 'contract/sigstore-sign.test.ts',
  start: 'integration/run-commands.test.ts',
  stats: 'integration/run-commands.test.ts',
  stop: 'integration/run-commands.test.ts',
  tags: 'contract/registry-accounts.test.ts',
  top: 'integration/run-commands.test.ts',
};

/** In this order: each finds what those before it have left. `IMAGE` and `DIR` stand for paths. */
const COMMANDS: readonly string[] = [
  'pull IMAGE',
  'inspect IMAGE',
  'copy IMAGE oci:DIR/copy:web',
  'install --plan --name web IMAGE',
  'install --name web --set PORT=81 IMAGE',
  'install --name web --set PORT=81 IMAGE',
  'install --name db IMAGE',
  'list',
  'status web',
  'info web',
  'history web',
  'images list',
  'images tag IMAGE registry.example/further:1',
  'images version web',
  'images info registry.example/further:1',
  'images verify',
  'verify web',
  'fsck',
  'fsck --repair --plan',
  'fsck --repair',
  'graph',
  'diff web.0 db',
  'apply web',
  'policy web --mode check',
  'auto-update --dry-run',
  'sets create shop web db',
  'sets list',
  'sets show shop',
  'update --plan --set PORT=82 web',
  'update --set PORT=82 web',
  'update @shop',
  'history web',
  'rollback --plan web',
  'rollback web',
  'pin web 1',
  'sets delete shop',
  'recover --plan',
  'recover',
  'trust default accept',
  'trust add --type reject registry.example/bad',
  'trust show',
  'trust delete registry.example/bad',
  'mount web DIR',
  'unmount DIR',
  'uninstall --plan db',
  'uninstall db web',
  'images prune --all --plan',
  'images delete --plan registry.example/further:1',
  'images delete registry.example/further:1',
  'images prune --all',
];

test('every command prints under --json what its page says', async () => {
  using tree = new BerthInTree();
  using place = new TempDir();
  const image = tree.makeImage('web', [{ path: 'probe', content: 'x', mode: 0o755 }], {
    'manifest.json': JSON.stringify({ defaultValues: { PORT: '80' } }),
    'tmpfiles.template': 'd /var/lib/$NAME-$PORT 0700 - - -\n',
  });
  try {
    for (const command of COMMANDS) {
      const words = command
        .split(' ')
        .map((word) => word.replace('IMAGE', image).replace('DIR', place.path));
      const { status, stdout, stderr } = await tree.run(...words, '--json');
      assert.equal(status, 0, `${command}: ${stderr}`);
      assert.ok(stdout.endsWith('\n') && stdout.length > 2, command);
    }
  } finally {
    unmountAll(place.path);
  }
  const page = readJsonPage();
  const missing = [...page.results.keys()].filter((name) => !documented.has(name));
  assert.deepEqual(missing.sort(), Object.keys(ELSEWHERE).sort());
  for (const [command, file] of Object.entries(ELSEWHERE)) {
    const source = new URL(`../../../test/${file}`, import.meta.url);
    const lines = readFileSync(source, 'utf8').split('\n');
    const runs = lines.some((line) => line.includes(command) && line.includes("'--json'"));
    assert.ok(runs, `${file} does not run '${command}' with --json`);
  }
});

test('damage is told on both streams, and with a status', async () => {
  using tree = new BerthInTree();
  const image = tree.makeImage('web', [{ path: 'probe', content: 'sound' }]);
  await tree.runOk('install', '--name', 'web', image);
  writeFileSync(join(tree.path, 'etc/systemd/system/web.service'), '[Unit]\n');
  const verified = await tree.run('--json', 'verify', 'web');
  assert.equal(verified.status, 1);
  assert.equal(verified.stderr, '');
  assert.match(verified.stdout, /"area": "unit"/);
});

test('errors and warnings are an object a line, with nothing on standard output', async () => {
  using tree = new BerthInTree();
  const result = await tree.run('--json', 'update', 'nothing', 'neither');
  assert.equal(result.status, 66);
  assert.equal(result.stdout, '[]\n');
  const lines = result.stderr.trimEnd().split('\n');
  const errors = lines.map((line) => (JSON.parse(line) as { error: object }).error);
  assert.deepEqual(
    errors.map((error) => Object.keys(error).filter((key) => key !== 'hint')),
    [
      ['code', 'message', 'causes'],
      ['code', 'message', 'causes'],
    ],
  );
  const single = await tree.run('--json', 'history', 'nothing');
  assert.deepEqual([single.status, single.stdout], [66, '']);
  assert.equal(
    (JSON.parse(single.stderr) as { error: { code: string } }).error.code,
    'CONTAINER_NOT_FOUND',
  );
  const usage = await tree.run('--json', 'history');
  assert.deepEqual([usage.status, usage.stdout], [64, '']);
  assert.equal((JSON.parse(usage.stderr) as { error: { code: string } }).error.code, 'USAGE');
});
