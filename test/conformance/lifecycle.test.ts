import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { change, defaultDocument, RuntimeBed } from './runtime-bed.js';

test('create: an id is needed, it is new, and the state has it', () => {
  using bed = new RuntimeBed();
  bed.configure(defaultDocument(['ls']));
  assert.notEqual(bed.call('create', '--bundle', bed.bundle).status, 0, 'created without an id');
  bed.must(bed.create());
  assert.equal(bed.state()?.id, bed.id);
  assert.equal(bed.state()?.status, 'created');
  assert.notEqual(bed.create().status, 0, 'one id for two containers');
});

test('start: only a created container, and only then its program', async () => {
  using bed = new RuntimeBed();
  bed.configure(defaultDocument(['sh', '-c', "echo 'process called' >> /output"]));
  assert.notEqual(bed.call('start').status, 0);
  assert.notEqual(bed.call('start', bed.id).status, 0, 'a container that is not there was started');
  bed.must(bed.create());
  assert.equal(bed.read('output'), undefined, 'the program ran before the start');
  bed.must(bed.call('start', bed.id));
  await bed.waitFor('stopped');
  assert.equal(bed.read('output'), 'process called\n');
  assert.notEqual(bed.call('start', bed.id).status, 0, 'started a second time');
  assert.equal(bed.read('output'), 'process called\n');
  bed.must(bed.call('delete', bed.id));
});

test('state: an id that is known, and what the specification lists', async () => {
  using bed = new RuntimeBed();
  assert.notEqual(bed.call('state').status, 0);
  assert.notEqual(bed.call('state', bed.id).status, 0);
  bed.configure(change(defaultDocument(['true']), { annotations: { 'org.example': 'x' } }));
  bed.must(bed.create());
  const state = bed.state();
  assert.ok(state !== undefined);
  assert.equal(state.bundle, bed.bundle);
  assert.equal(state.ociVersion, '1.0.0');
  assert.deepEqual(state.annotations, { 'org.example': 'x' });
  assert.ok(existsSync(`/proc/${state.pid ?? 0}`));
  bed.must(bed.call('kill', bed.id, 'KILL'));
  await bed.waitFor('stopped');
});

test('kill, killsig: signals by name and number reach the process, as it is created and as it runs', async () => {
  for (const signal of ['TERM', 'SIGUSR1', '12']) {
    using bed = new RuntimeBed();
    const name = { TERM: 'TERM', SIGUSR1: 'USR1', '12': 'USR2' }[signal] ?? '';
    const script = `trap 'touch /caught; exit 0' ${name}; touch /ready; while :; do sleep 0.05; done`;
    bed.configure(defaultDocument(['sh', '-c', script]));
    assert.notEqual(bed.call('kill').status, 0);
    assert.notEqual(bed.call('kill', bed.id, 'KILL').status, 0);
    bed.must(bed.create());
    bed.must(bed.call('start', bed.id));
    while (bed.read('ready') === undefined) await bed.waitFor('running');
    bed.must(bed.call('kill', bed.id, signal));
    await bed.waitFor('stopped');
    assert.notEqual(bed.read('caught'), undefined, `${signal} did not reach the process`);
  }
});

test('kill_no_effect: a stopped container stays as it is', async () => {
  using bed = new RuntimeBed();
  bed.configure(defaultDocument(['true']));
  bed.must(bed.create());
  bed.must(bed.call('start', bed.id));
  await bed.waitFor('stopped');
  const before = bed.state();
  assert.notEqual(bed.call('kill', bed.id, 'KILL').status, 0);
  assert.deepEqual(bed.state(), before);
});

test('delete: neither a created nor a running container; a stopped one, and then nothing is left of it', async () => {
  using bed = new RuntimeBed();
  bed.configure(defaultDocument(['sleep', '1000']));
  assert.notEqual(bed.call('delete').status, 0);
  bed.must(bed.create());
  const waiting = bed.state()?.pid ?? 0;
  assert.notEqual(bed.call('delete', bed.id).status, 0, 'a created container was deleted');
  assert.equal(bed.state()?.status, 'created', 'a delete that was refused had an effect');
  assert.ok(waiting > 0 && isAlive(waiting));
  bed.must(bed.call('delete', '--force', bed.id));
  assert.equal(bed.state(), undefined);
  assert.ok(!isAlive(waiting), 'the process of a created container is left');
  bed.must(bed.create());
  bed.must(bed.call('start', bed.id));
  assert.notEqual(bed.call('delete', bed.id).status, 0, 'a running container was deleted');
  assert.equal(bed.state()?.status, 'running', 'a delete that was refused had an effect');
  const pid = bed.state()?.pid ?? 0;
  const cgroups = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .split('\n')
    .filter((line) => line.includes(bed.id));
  assert.ok(cgroups.length > 0, 'the container has no control group of its own');
  bed.must(bed.call('kill', bed.id, 'KILL'));
  await bed.waitFor('stopped');
  bed.must(bed.call('delete', bed.id));
  assert.equal(bed.state(), undefined);
  assert.ok(!existsSync(bed.path(`state/${bed.id}`)));
  for (const line of cgroups) {
    const [, names = '', path = ''] = line.split(':');
    const folder = join('/sys/fs/cgroup', names.replace('name=', ''), path);
    assert.ok(!existsSync(folder), `${folder} is left behind`);
  }
  bed.must(bed.call('delete', '--force', bed.id));
});

test('pidfile: the number of the process as the caller sees it', () => {
  using bed = new RuntimeBed();
  bed.configure(defaultDocument(['true']));
  const file = bed.path('pid');
  bed.must(bed.create('--pid-file', file));
  assert.equal(Number(readFileSync(file, 'utf8')), bed.state()?.pid);
});

test('config_updates_without_affect: what is written after create changes nothing', async () => {
  using bed = new RuntimeBed();
  bed.configure(defaultDocument(['sh', '-c', 'echo first >> /output']));
  bed.must(bed.create());
  bed.configure({ ociVersion: '1.0.0' });
  bed.must(bed.call('start', bed.id));
  await bed.waitFor('stopped');
  assert.equal(bed.read('output'), 'first\n');
  bed.must(bed.call('delete', bed.id));
});

test('misc_props: unknown members and annotations are ignored, a wrong version is not', async () => {
  using bed = new RuntimeBed();
  const document = defaultDocument(['true']);
  await bed.inside(change(document, { annotations: { 'org.unknown': '' } }));
  await bed.inside(change(document, { unknown: 'unknown' }));
  bed.configure(change(document, { ociVersion: 'invalid' }));
  assert.notEqual(bed.create().status, 0);
  assert.equal(bed.state(), undefined);
});

/** Whether a process is there and not only waited for. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false; // there is no such process
  }
}
