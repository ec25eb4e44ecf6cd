import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import fc from 'fast-check';

import {
  encodePlan,
  INSTRUCTIONS,
  planChecksum,
  type Instruction,
  type InstructionName,
} from '../../src/runtime/plan-format.js';
import { projectRoot } from '../support/cache-folder.js';
import { each } from '../support/each.js';
import { hostMounts } from '../support/host-mounts.js';
import { ContainerBed, launcher } from '../support/launched-container.js';

const REFUSED = 245;

const bed = new ContainerBed();
bed.compile(['write', '/data/mark'], {
  hostname: 'box',
  process: { rlimits: [{ type: 'RLIMIT_NOFILE', soft: 10, hard: 20 }], oomScoreAdj: 3 },
  mounts: [{ destination: '/data', source: bed.hostDirectory('data'), options: ['rbind'] }],
  linux: {
    namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'uts' }],
    seccomp: {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['ptrace'], action: 'SCMP_ACT_ERRNO' }],
    },
    maskedPaths: ['/proc/kcore'],
  },
});
const sample = readFileSync(bed.plan);
const folder = mkdtempSync(join(tmpdir(), 'berth-test-'));
after(() => {
  bed[Symbol.dispose]();
  execFileSync('rm', ['-rf', folder]);
});

function check(plan: Uint8Array, program = launcher): { status: number | null; stderr: string } {
  const path = join(folder, 'plan');
  writeFileSync(path, plan);
  const { status, stderr } = spawnSync(program, ['--check', path], { encoding: 'utf8' });
  return { status, stderr };
}

function withChecksum(plan: Buffer): Buffer {
  if (plan.length >= 24) plan.writeUInt32LE(planChecksum(plan), 16);
  return plan;
}

/** A small generator with a fixed seed: a failure can be had again. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state >>> 8;
  }
}

test('control: the sample itself is taken', () => {
  assert.deepEqual(check(sample), { status: 0, stderr: '' });
});

test('a plan with any byte changed is refused', () => {
  for (const index of sample.keys()) {
    const damaged = Buffer.from(sample);
    damaged[index] = (damaged[index] ?? 0) ^ (1 << (index % 8));
    const { status, stderr } = check(damaged);
    assert.equal(status, REFUSED, `byte ${index} was changed and nobody noticed: ${stderr}`);
  }
});

test('a plan that is cut short anywhere is refused', () => {
  for (let length = 0; length < sample.length; length += 7) {
    assert.equal(check(sample.subarray(0, length)).status, REFUSED, `cut to ${length} bytes`);
  }
});

test('a refused plan has changed nothing', () => {
  const path = bed.path('damaged.plan');
  const damaged = Buffer.from(sample);
  damaged[sample.length - 5] = (damaged[sample.length - 5] ?? 0) ^ 1;
  writeFileSync(path, damaged);
  const mounts = hostMounts(bed.rootfs);
  const trace = spawnSync(launcher, [path], { encoding: 'utf8' });
  assert.equal(trace.status, REFUSED);
  assert.match(trace.stderr, /the launch plan is damaged, refusing it: 'its checksum is wrong'/);
  assert.deepEqual(readdirSync(bed.path('data')), [], 'the program ran');
  assert.deepEqual(hostMounts(bed.rootfs), mounts);
});

each<{ name: string; spoil: (path: string) => void }>(
  'a plan that others can write is refused',
  [
    {
      name: "another user's",
      spoil: (path) => {
        chownSync(path, 1234, 0);
      },
    },
    {
      name: 'writable by a group',
      spoil: (path) => {
        chmodSync(path, 0o664);
      },
    },
    {
      name: 'writable by all',
      spoil: (path) => {
        chmodSync(path, 0o646);
      },
    },
  ],
  ({ spoil }) => {
    const path = bed.path('spoiled.plan');
    writeFileSync(path, sample);
    spoil(path);
    const { status, stderr } = spawnSync(launcher, [path], { encoding: 'utf8' });
    assert.equal(status, REFUSED, 'root ran what a user wrote');
    assert.match(stderr, /others' to write/);
    assert.deepEqual(readdirSync(bed.path('data')), []);
  },
);

each<{ name: string; path: string }>(
  'what is not a plan is refused',
  [
    { name: 'a directory', path: '/etc' },
    { name: 'a device', path: '/dev/zero' },
    { name: 'nothing', path: '/not/there' },
    { name: 'a text', path: '/etc/passwd' },
  ],
  ({ path }) => {
    assert.equal(spawnSync(launcher, [path]).status, REFUSED);
  },
);

/** Builds the launcher so that it says what it reads or writes beyond its own; once. */
function buildSanitized(): string {
  const program = join(folder, 'launch-sanitized');
  if (existsSync(program)) return program;
  const sources = join(projectRoot, 'src/runtime/launcher');
  const files = readdirSync(sources).filter((name) => name.endsWith('.c'));
  execFileSync('cc', [
    '-std=gnu11',
    '-D_GNU_SOURCE',
    '-g',
    '-O1',
    '-fsanitize=address,undefined',
    '-fno-sanitize-recover=all',
    '-o',
    program,
    ...files.map((name) => join(sources, name)),
  ]);
  return program;
}

test('no plan, however wrong, makes the launcher read or write what is not its own', () => {
  const program = buildSanitized();
  assert.deepEqual(check(sample, program), { status: 0, stderr: '' });
  const random = numbers(20_261_121);
  const next = (below: number): number => random.next().value % below;
  let taken = 0;
  for (let round = 0; round < 400; round++) {
    // Some mutations hit the header and fail at once; those of the body get a checksum that fits.
    let plan = Buffer.from(sample);
    for (let change = next(4); change >= 0; change--) {
      const at = 20 + next(plan.length - 24);
      const aligned = at - (at % 4);
      switch (next(5)) {
        case 0:
          plan[at] = next(256);
          break;
        case 1:
          plan.writeUInt32LE(
            [0, 1, 0x7fff_ffff, 0xffff_ffff, plan.length, next(64)][next(6)] ?? 0,
            aligned,
          );
          break;
        case 2:
          plan = Buffer.concat([
            plan.subarray(0, aligned),
            plan.subarray(aligned + 4 * (1 + next(8))),
          ]);
          break;
        case 3:
          plan = Buffer.concat([plan.subarray(0, aligned), plan.subarray(aligned - 4 * next(8))]);
          break;
        default:
          plan[at] = (plan[at] ?? 0) ^ (1 << next(8));
      }
      if (plan.length < 32) plan = Buffer.from(sample);
    }
    plan.writeUInt32LE(plan.length, 12);
    const { status, stderr } = check(withChecksum(plan), program);
    if (status === 0) taken++;
    assert.ok(status === 0 || status === REFUSED, `round ${round} ended with ${status}: ${stderr}`);
    assert.doesNotMatch(stderr, /Sanitizer|runtime error/, `round ${round}`);
  }
  // Both answers have to come up, or the mutations test nothing.
  assert.ok(taken > 0 && taken < 400, `${taken} of 400 were taken`);
});

/** A value for a field of a kind: right in its form, and most often wrong in what it says. */
const FIELDS: Readonly<Record<string, fc.Arbitrary<number | bigint | string | Uint8Array>>> = {
  u: fc.oneof(fc.constantFrom(0, 1, 2, 0x2000_0000, 0x1000_0000, 0xffff_ffff), fc.nat()),
  q: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  s: fc.oneof(fc.constantFrom('', 'proc', 'tmpfs', 'x'.repeat(5000)), fc.string().map(plain)),
  t: fc.oneof(fc.constantFrom('', '/probe', '\xff'), fc.string().map(plain)),
  p: fc.constantFrom('/', '/data', '/proc/self/ns/net', '/..', `/${'x'.repeat(4094)}`, 'relative'),
  b: fc.uint8Array({ maxLength: 64 }),
};

function plain(text: string): string {
  return text.replaceAll('\0', '');
}

const NAMES = Object.keys(INSTRUCTIONS) as InstructionName[];
const instruction: fc.Arbitrary<Instruction> = fc.constantFrom(...NAMES).chain((name) => {
  const kinds = Array.from(INSTRUCTIONS[name].fields, (kind) => FIELDS[kind] ?? FIELDS['b']);
  return fc
    .tuple(...kinds.map((kind) => kind ?? fc.constant(0)))
    .map((fields) => [name, ...fields] as const);
});

const CLONE_NEWNS = 0x2_0000;

/** Instructions in any order, in a frame that is right often enough for most of them to be looked at. */
const plans = fc
  .tuple(fc.boolean(), fc.array(instruction, { maxLength: 12 }))
  .map(([framed, inner]): readonly Instruction[] =>
    framed
      ? [
          ['NAME', 'x'],
          ['UNSHARE', CLONE_NEWNS, ''],
          ['ROOT', '/nowhere', 0],
          ...inner.filter(([name]) => INSTRUCTIONS[name].op < INSTRUCTIONS.PIVOT.op),
          ['PIVOT', 0],
          ...inner.filter(([name]) => INSTRUCTIONS[name].op > INSTRUCTIONS.PIVOT.op),
          ['ARGUMENT', '/probe'],
          ['EXEC', 0, '/bin'],
        ]
      : inner,
  );

/** Calls by which a launcher changes something. Its own sealing, before it reads the plan, is a clone that nobody sees. */
const CHANGING = [
  ...['mount', 'umount2', 'move_mount', 'fsopen', 'fsmount', 'pivot_root', 'chroot', 'unshare'],
  ...[
    'setns',
    'fork',
    'vfork',
    'clone',
    'clone3',
    'mkdir',
    'mkdirat',
    'mknod',
    'mknodat',
    'unlink',
  ],
  ...['unlinkat', 'rename', 'renameat2', 'symlinkat', 'linkat', 'chown', 'fchownat', 'chmod'],
  ...['fchmodat', 'sethostname', 'setdomainname', 'setrlimit', 'prlimit64', 'setuid', 'setgid'],
  ...['setresuid', 'setresgid', 'setgroups', 'capset', 'seccomp', 'keyctl', 'bpf', 'kill'],
  ...['sched_setattr', 'sched_setaffinity', 'ioprio_set', 'set_mempolicy', 'personality', 'execve'],
];

test('C26 no list of instructions is taken that is not whole, and what is refused has changed nothing', () => {
  const program = buildSanitized();
  let taken = 0;
  let refused = 0;
  fc.assert(
    fc.property(plans, (instructions) => {
      const { status, stderr } = check(encodePlan(instructions), program);
      assert.ok(status === 0 || status === REFUSED, `ended with ${status}: ${stderr}`);
      assert.doesNotMatch(stderr, /Sanitizer|runtime error/);
      if (status === 0) taken++;
      else refused++;
    }),
    { numRuns: 250 },
  );
  assert.ok(taken > 10 && refused > 10, `${taken} were taken, ${refused} refused`);
});

test('C26 control: the calls of a plan that is carried out are seen, and of a refused one there are none', () => {
  const path = bed.path('traced.plan');
  const calls = (plan: Buffer): readonly string[] => {
    writeFileSync(path, plan);
    const log = join(folder, 'calls');
    const options = ['-f', '-qq', '-e', `trace=${CHANGING.join(',')}`, '-e', 'signal=none'];
    spawnSync('strace', [...options, '-o', log, launcher, path], { encoding: 'utf8' });
    // The first program of all is the launcher itself, and the C library asks for the size of its stack.
    const isAsking = (line: string): boolean => line.includes('prlimit64(0, RLIMIT_STACK, NULL');
    const [, ...lines] = readFileSync(log, 'utf8').split('\n');
    return lines.filter((line) => line !== '' && !isAsking(line));
  };
  const carriedOut = calls(sample).join('\n');
  for (const call of ['unshare', 'move_mount', 'pivot_root', 'sethostname', 'prlimit64']) {
    assert.match(carriedOut, new RegExp(`\\b${call}\\(`), 'the trace sees nothing');
  }
  fc.assert(
    fc.property(plans, (instructions) => {
      const plan = encodePlan(instructions);
      fc.pre(check(plan).status === REFUSED);
      assert.deepEqual(calls(plan), [], 'a refused plan changed something');
    }),
    { numRuns: 12 },
  );
});
