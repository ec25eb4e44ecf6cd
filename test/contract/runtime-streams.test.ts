import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ContainerBed } from '../support/launched-container.js';

// Node gives a child sockets as standard output and error, as systemd does.
const user = { uid: 33, gid: 34 };

test('a program cannot open a socket as its standard output (control)', async () => {
  using bed = new ContainerBed();
  const [line] = await bed.run(['append', '/proc/self/fd/1'], { process: { user } });
  assert.match(line ?? '', /^append=ENXIO/);
});

test('berth.log-pipes lets a program open its standard output and error, whatever user it is', async () => {
  using bed = new ContainerBed();
  const annotations = { 'berth.log-pipes': 'true' };
  for (const path of ['/proc/self/fd/1', '/proc/self/fd/2']) {
    const [line] = await bed.run(['append', path], { process: { user }, annotations });
    assert.match(line ?? '', /^append=ok/);
  }
});

test('berth.log-pipes passes on what was written before the end, on both', async () => {
  using bed = new ContainerBed();
  bed.compile(['nonsense'], { annotations: { 'berth.log-pipes': 'true' } });
  const piped = await bed.launch();
  bed.compile(['nonsense']);
  const plain = await bed.launch();
  assert.notEqual(plain.stdout, '');
  assert.deepEqual(
    [piped.status, piped.stdout, piped.stderr],
    [plain.status, plain.stdout, plain.stderr],
  );
});

test('berth.log-pipes is ignored with a warning where nobody stays to empty them', () => {
  using bed = new ContainerBed();
  const { warnings } = bed.compile(['nonsense'], {
    annotations: { 'berth.log-pipes': 'true' },
    linux: { namespaces: [{ type: 'mount' }] },
  });
  assert.ok(warnings.some((warning) => warning.includes('berth.log-pipes')));
});
