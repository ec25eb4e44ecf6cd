import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { formatCommandHelp, formatHelp, COMMAND_NAMES } from '../../src/runtime-cli/help.js';
import { readDocument } from '../../src/runtime-cli/bundle.js';
import { create } from '../../src/runtime-cli/commands-life.js';
import { defaultDocument, RuntimeBed } from '../conformance/runtime-bed.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { TempDir } from '../support/temp-dir.js';

each<{ name: string; text: string; message: RegExp }>(
  'C26 what is handed to a container that runs is refused in words:',
  [
    { name: 'half a document', text: '{"a":', message: /not valid JSON/ },
    { name: 'a member twice', text: '{"pids":{"limit":1,"limit":2}}', message: /limit/ },
    { name: 'a list', text: '[1]', message: /not an object/ },
  ],
  ({ text, message }) => {
    using bed = new RuntimeBed();
    const file = bed.path('document.json');
    writeFileSync(file, text);
    bed.configure(defaultDocument(['sleep', '1000']));
    bed.must(bed.create());
    for (const words of [
      ['update', '--resources', file],
      ['exec', '--process', file],
    ]) {
      const result = bed.call(...words, bed.id);
      assert.equal(result.status, 1);
      assert.doesNotMatch(result.stderr, / {4}at |SyntaxError/, 'a stack was shown');
      if (words[0] === 'update') assert.match(result.stderr, message);
    }
  },
);

test('C26 a document without end is not read to its end, whatever kind of file it is', async () => {
  using dir = new TempDir();
  const fifo = join(dir.path, 'fifo');
  spawnSync('mkfifo', [fifo]);
  const endless = spawn('sh', ['-c', `exec cat /dev/zero >${fifo}`]);
  try {
    await assertFails('LIMIT_EXCEEDED', () => readDocument(fifo));
    await assertFails('LIMIT_EXCEEDED', () => readDocument('/dev/zero'));
    await assertFails('RUNTIME_CONFIG_INVALID', () => readDocument(join(dir.path, 'none')));
  } finally {
    endless.kill('SIGKILL');
  }
});

test('a record that is damaged does not hide the other containers, and a log that cannot be written no failure', () => {
  using bed = new RuntimeBed();
  bed.configure(defaultDocument(['sleep', '1000']));
  bed.must(bed.create());
  mkdirSync(bed.path('state/other'));
  for (const damaged of ['{', '{"format":2}']) {
    writeFileSync(bed.path('state/other/state.json'), damaged);
    const listed = bed.call('list', '--quiet');
    assert.equal(listed.status, 0);
    assert.equal(listed.stdout, `${bed.id}\n`);
    assert.match(listed.stderr, /level=warning .*'other' cannot be read/);
  }
  const { status, stderr } = bed.call('--log', '/nonexistent/log', 'state', 'none');
  assert.equal(status, 1);
  assert.equal(
    stderr,
    "berth-runtime: cannot write the log: open '/nonexistent/log': no such file or folder\n" +
      "berth-runtime: container 'none' does not exist\n",
  );
});

test('help names every command, and each command its options', () => {
  for (const name of COMMAND_NAMES) assert.match(formatHelp(), new RegExp(`^  ${name} +\\w`, 'm'));
  const help = formatCommandHelp('create', create);
  assert.match(help, /^usage: berth-runtime create \[OPTIONS\] ID$/m);
  assert.match(help, /^ {2}-b, --bundle VALUE$/m);
  assert.match(help, /^ {6}--no-pivot$/m);
});
