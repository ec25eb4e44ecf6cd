import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { ContainerBed } from '../support/launched-container.js';
import { waitUntil } from '../support/wait-until.js';

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

test('berth.log-pipes: a reader that takes nothing holds up the program, and not the signal that ends it', async () => {
  using bed = new ContainerBed();
  writeFileSync(join(bed.rootfs, 'long'), 'x'.repeat(65_535));
  const words = Array.from({ length: 20 }, () => ['cat', '/long', ',']).flat();
  bed.compile([...words, 'sleep', '1000'], { annotations: { 'berth.log-pipes': 'true' } });
  const child = bed.start();
  child.stdout?.pause();
  // More than what is under way holds: the program waits in a write.
  let before = -1;
  await waitUntil(
    'a program that is held up',
    () => {
      const [inside] = childrenOf(child.pid ?? 0);
      const now = inside === undefined ? 0 : writtenBy(inside);
      const isHeldUp = now === before && now > 65_535;
      before = now;
      return isHeldUp;
    },
    { everyMs: 200 },
  );
  child.kill('SIGTERM');
  const [status, signal] = (await once(child, 'exit')) as [number | null, string | null];
  assert.deepEqual([status, signal], [null, 'SIGTERM']);
});

test('berth.log-pipes: a reader that is slow gets all of it', async () => {
  using bed = new ContainerBed();
  writeFileSync(join(bed.rootfs, 'long'), `${'x'.repeat(65_534)}\n`);
  const words = Array.from({ length: 20 }, () => ['cat', '/long', ',']).flat();
  bed.compile([...words, 'say', 'end'], { annotations: { 'berth.log-pipes': 'true' } });
  const child = bed.start();
  let length = 0;
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    length += chunk.length;
    await delay(10);
  }
  assert.equal(length, 20 * 65_535 + 'end\n'.length);
});

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

/** How many bytes a process has written. */
function writtenBy(pid: number): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);
}

test('berth.log-pipes is ignored with a warning where nobody stays to empty them', () => {
  using bed = new ContainerBed();
  const { warnings } = bed.compile(['nonsense'], {
    annotations: { 'berth.log-pipes': 'true' },
    linux: { namespaces: [{ type: 'mount' }] },
  });
  assert.ok(warnings.some((warning) => warning.includes('berth.log-pipes')));
});
