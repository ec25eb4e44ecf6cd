import assert from 'node:assert/strict';
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { each } from '../support/each.js';
import { change, defaultDocument, RuntimeBed, type Document, type State } from './runtime-bed.js';

const PATH = ['PATH=/usr/bin:/bin'];

function shell(script: string, more: object = {}): object {
  return { path: '/bin/sh', args: ['sh', '-c', script], env: PATH, ...more };
}

function withHooks(args: readonly string[], hooks: object): Document {
  return change(defaultDocument(args), { hooks });
}

test('hooks, prestart, poststart, poststop: all kinds in their order, around the program', async () => {
  using bed = new RuntimeBed();
  const log = join(bed.bundle, 'log');
  const say = (word: string): object => shell(`echo ${word} >> ${log}`);
  bed.configure(
    withHooks(['sh', '-c', 'echo program >> /log'], {
      prestart: [say('prestart1'), say('prestart2')],
      createRuntime: [say('createRuntime')],
      createContainer: [say('createContainer')],
      startContainer: [shell('echo startContainer >> /log')],
      // Beside the program, which it waits for, for ten seconds at most: or nobody knew whose line comes first.
      poststart: [
        shell(
          `for try in $(seq 100); do grep -q program ${log} && break; sleep 0.1; done; echo poststart >> ${log}`,
        ),
      ],
      poststop: [say('poststop1'), say('poststop2')],
    }),
  );
  bed.must(bed.create());
  const created = ['prestart1', 'prestart2', 'createRuntime', 'createContainer'];
  assert.deepEqual(bed.read('log')?.trim().split('\n'), created);
  bed.must(bed.call('start', bed.id));
  await bed.waitFor('stopped');
  const started = [...created, 'startContainer', 'program', 'poststart'];
  assert.deepEqual(bed.read('log')?.trim().split('\n'), started);
  bed.must(bed.call('delete', bed.id));
  assert.deepEqual(bed.read('log')?.trim().split('\n'), [...started, 'poststop1', 'poststop2']);
});

test('hooks_stdin: every hook reads the state that the container is in', async () => {
  using bed = new RuntimeBed();
  const names = ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop'] as const;
  const hooks = Object.fromEntries(
    names.map((name) => [name, [shell(`cat > ${bed.path(name)}`, { timeout: 20 })]]),
  );
  bed.configure(
    change(withHooks(['true'], { ...hooks, startContainer: [shell('cat > /startContainer')] }), {
      annotations: { 'org.example': 'hook stdin' },
    }),
  );
  bed.must(bed.create());
  const pid = bed.state()?.pid;
  bed.must(bed.call('start', bed.id));
  await bed.waitFor('stopped');
  bed.must(bed.call('delete', bed.id));
  const statuses = {
    prestart: 'created',
    createRuntime: 'created',
    createContainer: 'created',
    poststart: 'running',
    poststop: 'stopped',
  };
  for (const name of names) {
    const state = JSON.parse(readFileSync(bed.path(name), 'utf8')) as State;
    assert.equal(state.id, bed.id, name);
    assert.equal(state.bundle, bed.bundle, name);
    assert.equal(state.status, statuses[name], name);
    assert.deepEqual(state.annotations, { 'org.example': 'hook stdin' }, name);
    // A hook in the container is told the number that it sees there (runtime.md, "State").
    if (name !== 'poststop') assert.equal(state.pid, name === 'createContainer' ? 1 : pid, name);
  }
  const started = JSON.parse(bed.read('startContainer') ?? '{}') as State;
  assert.deepEqual([started.status, started.pid], ['created', 1]);
});

test('hooks run in their namespaces: those of the container see its mounts, the others do not', async () => {
  using bed = new RuntimeBed();
  const say = (place: string): object => shell(`readlink /proc/self/ns/mnt > ${place}`);
  const document = withHooks(['true'], {
    createRuntime: [say(bed.path('createRuntime'))],
    createContainer: [say(bed.path('createContainer'))],
    startContainer: [say('/startContainer')],
  });
  await bed.inside(document);
  assert.equal(
    readFileSync(bed.path('createRuntime'), 'utf8').trim(),
    readlinkSync('/proc/self/ns/mnt'),
  );
  const [runtime, container] = ['createRuntime', 'createContainer'].map((name) =>
    readFileSync(bed.path(name), 'utf8'),
  );
  assert.notEqual(runtime, container);
  assert.equal(bed.read('startContainer'), container);
});

each<{ name: string; hook: string }>(
  'a hook that fails before the program ends the container',
  ['prestart', 'createRuntime', 'createContainer', 'startContainer'].map((name) => ({
    name: `${name}_fail`,
    hook: name,
  })),
  ({ hook }) => {
    using bed = new RuntimeBed();
    bed.configure(
      withHooks(['touch', '/output'], { [hook]: [shell('echo it went wrong >&2; exit 3')] }),
    );
    const created = bed.create();
    const result = hook === 'startContainer' ? bed.call('start', bed.id) : created;
    assert.notEqual(result.status, 0, 'the failure was not reported');
    assert.match(result.stderr, /hook .*exit status 3.*it went wrong/);
    assert.equal(bed.read('output'), undefined, 'the program ran');
    assert.equal(bed.state(), undefined, 'the container is still there');
  },
);

each<{ name: string; hook: string }>(
  'a hook that fails after the program is a warning, and the next one runs',
  ['poststart', 'poststop'].map((name) => ({ name: `${name}_fail`, hook: name })),
  async ({ hook }) => {
    using bed = new RuntimeBed();
    const next = shell(`echo called > ${bed.path('next')}`);
    await bed.inside(withHooks(['true'], { [hook]: [shell('exit 1'), next] }));
    assert.equal(readFileSync(bed.path('next'), 'utf8'), 'called\n');
  },
);

test('C27 a hook that hangs is killed after its time, one that prints for ever is not kept', () => {
  using bed = new RuntimeBed();
  bed.configure(withHooks(['true'], { createRuntime: [shell('sleep 60', { timeout: 1 })] }));
  const slow = bed.create();
  assert.notEqual(slow.status, 0);
  assert.match(slow.stderr, /took longer than 1 s/);
  bed.configure(
    withHooks(['true'], { createRuntime: [shell('head -c 50000000 /dev/zero; exit 1')] }),
  );
  const loud = bed.create();
  assert.notEqual(loud.status, 0);
  assert.ok(
    loud.stderr.length < 20_000,
    `${loud.stderr.length} bytes of a hook's output came back`,
  );
});
