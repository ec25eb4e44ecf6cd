import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ContainerBed, ended } from '../support/launched-container.js';
import { NotifySink } from '../support/notify-sink.js';

/** What a container can try to have systemd believe; with MAINPID= of any process, systemd kills that process. */
const LIES = [
  'MAINPID=1',
  'MAINPIDFD=1|MAINPIDFDID=4',
  'FDSTORE=1|FDNAME=x',
  'ERRNO=2|BUSERROR=x|EXIT_STATUS=0',
  'NOTIFYACCESS=all',
  'X_VENDOR=1',
].map((lines) => lines.replaceAll('|', '\n'));

async function messagesOf(
  words: readonly string[],
  naive: boolean,
): Promise<{ text: string; fromParent: boolean; fds: number }[]> {
  using bed = new ContainerBed();
  const socket = bed.path('notify');
  using sink = await NotifySink.open(socket);
  if (naive) {
    // The control: the host's socket bound in, as other runtimes do it.
    bed.compile(['connect', '/tmp/notify', ...words], {
      mounts: [
        { destination: '/tmp', type: 'tmpfs' },
        { destination: '/tmp/notify', source: socket, options: ['bind'] },
      ],
    });
  } else bed.compile(words, {}, { notify: true });
  const child = bed.start({ NOTIFY_SOCKET: socket }, 'ignore');
  await ended(child);
  await sink.settle();
  return sink.messages.map(({ pid, text, fds }) => ({ text, fds, fromParent: pid === child.pid }));
}

const send = (texts: readonly string[]): string[] => texts.flatMap((text) => ['notify', text]);

test('what a container may not say never reaches systemd', async () => {
  const words = send([...LIES, `READY=1\nMAINPID=1\nSTATUS=up`, `MAINPID=1\nREADY=1`]);
  assert.deepEqual(await messagesOf(words, false), [
    { text: 'READY=1|STATUS=up', fromParent: true, fds: 0 },
    { text: 'READY=1', fromParent: true, fds: 0 },
  ]);
});

test('control: with the host socket bound in, every lie arrives', async () => {
  const got = await messagesOf(send(LIES), true);
  assert.equal(got.length, LIES.length);
  assert.equal(got[0]?.text, 'MAINPID=1');
});

test('what a container may say arrives, from the process that systemd knows', async () => {
  const texts = [
    'READY=1',
    'STATUS=all is well',
    'RELOADING=1\nMONOTONIC_USEC=12',
    'WATCHDOG=1',
    'WATCHDOG=trigger',
    'EXTEND_TIMEOUT_USEC=5000000',
    'STOPPING=1',
  ];
  assert.deepEqual(
    await messagesOf(send(texts), false),
    texts.map((text) => ({ text: text.replaceAll('\n', '|'), fromParent: true, fds: 0 })),
  );
});

test('a barrier is passed on with its descriptor, and released when systemd lets go', async () => {
  assert.deepEqual(
    await messagesOf(['notify', 'READY=1', 'barrier', 'notify', 'STATUS=after'], false),
    [
      { text: 'READY=1', fromParent: true, fds: 0 },
      { text: 'BARRIER=1', fromParent: true, fds: 1 },
      { text: 'STATUS=after', fromParent: true, fds: 0 },
    ],
  );
});

test('descriptors do not pass with anything else, and are not kept', async () => {
  const words = Array.from({ length: 2000 }, () => ['notify-fd', 'FDSTORE=1']).flat();
  assert.deepEqual(await messagesOf([...words, 'notify-fd', 'READY=1'], false), [
    { text: 'READY=1', fromParent: true, fds: 0 },
  ]);
});

test('messages that are too long, empty or not text are dropped', async () => {
  const words = send([
    `STATUS=${'x'.repeat(5000)}`,
    '\n\n\n',
    '=',
    'READY',
    'READY=',
    'ready=1',
    ' READY=1',
  ]);
  assert.deepEqual(await messagesOf([...words, 'notify', 'READY=1'], false), [
    { text: 'READY=1', fromParent: true, fds: 0 },
  ]);
});

test('the PID 1 that berth puts in holds nothing of the host', async () => {
  using bed = new ContainerBed();
  const socket = bed.path('notify');
  using sink = await NotifySink.open(socket);
  bed.compile(
    ['link', '/proc/1/fd/0', ',', 'list', '/proc/1/fd', ',', 'notify', 'READY=1'],
    { mounts: [{ destination: '/data', source: bed.hostDirectory('data'), options: ['bind'] }] },
    { notify: true, init: true },
  );
  const { stdout } = await bed.launch({ NOTIFY_SOCKET: socket });
  // The three of every program, its pipe to the parent, and the one that signals come by.
  assert.equal(stdout.match(/^entry \/proc\/1\/fd\//gm)?.length, 5, stdout);
  await sink.settle();
  assert.equal(sink.messages[0]?.text, 'READY=1');
});

test('without a pid namespace the socket is there only where the unit waits for it', async () => {
  using bed = new ContainerBed();
  const socket = bed.path('notify');
  using sink = await NotifySink.open(socket);
  const namespaces = { linux: { namespaces: [{ type: 'mount' }] } };
  bed.compile(['notify', 'READY=1'], namespaces, { notify: true });
  assert.equal((await bed.launch({ NOTIFY_SOCKET: socket })).stdout, 'notify=ok\n');
  bed.compile(['notify', 'READY=2'], namespaces);
  assert.equal((await bed.launch({ NOTIFY_SOCKET: socket })).stdout, 'notify=ENOENT\n');
  await sink.settle();
  assert.deepEqual(
    sink.messages.map(({ text }) => text),
    ['READY=1'],
  );
});
