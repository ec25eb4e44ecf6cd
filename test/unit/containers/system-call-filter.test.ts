import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { describeFilter, type FilterChoice } from '../../../src/containers/deployed-filter.js';
import { withSystemCallFilter } from '../../../src/containers/system-call-filter.js';
import { parseRuntimeConfig } from '../../../src/oci/parse-runtime-config.js';
import type { SeccompProfile } from '../../../src/oci/runtime-config.js';
import { compileSeccomp } from '../../../src/runtime/compile-seccomp.js';
import { loadKoffi } from '../../../src/sys/libc.js';
import { knowsSystemCall } from '../../../src/sys/seccomp.js';
import { projectRoot } from '../../support/cache-folder.js';
import { each } from '../../support/each.js';
import { runtimeConfigDocument } from '../../support/runtime-config.js';

async function filterOf(
  capabilities: readonly string[],
  choice: FilterChoice = { kind: 'default' },
  architecture = 'amd64',
): Promise<SeccompProfile | undefined> {
  const config = JSON.stringify(
    runtimeConfigDocument({ process: { capabilities: { bounding: capabilities } } }),
  );
  const request = { choice, ownConfig: true, architecture };
  return parseRuntimeConfig((await withSystemCallFilter(config, request)).text).linux.seccomp;
}

/** Calls that a filter allows whatever their arguments are. */
function allowed(profile: SeccompProfile | undefined): ReadonlySet<string> {
  const rules = profile?.syscalls.filter(
    ({ action, args }) => action === 'SCMP_ACT_ALLOW' && args.length === 0,
  );
  return new Set(rules?.flatMap(({ names }) => names));
}

each(
  "berth's filter allows what needs a capability with that capability only",
  [
    { name: 'CAP_SYS_ADMIN', calls: ['mount', 'unshare', 'setns', 'clone3', 'bpf', 'clone'] },
    { name: 'CAP_BPF', calls: ['bpf'] },
    { name: 'CAP_SYS_TIME', calls: ['clock_settime', 'settimeofday'] },
    { name: 'CAP_SYS_CHROOT', calls: ['chroot'] },
    { name: 'CAP_SYS_MODULE', calls: ['finit_module'] },
    { name: 'CAP_SYS_BOOT', calls: ['reboot'] },
    { name: 'CAP_SYS_NICE', calls: ['mbind', 'move_pages'] },
    { name: 'CAP_DAC_READ_SEARCH', calls: ['open_by_handle_at'] },
  ],
  async ({ name, calls }) => {
    const [without, held] = [allowed(await filterOf([])), allowed(await filterOf([name]))];
    const all = allowed(await filterOf(['CAP_SYS_ADMIN', name]));
    for (const call of calls) {
      assert.ok(!without.has(call), `${call} is allowed without ${name}`);
      assert.ok(held.has(call), `${call} is not allowed with ${name}`);
      assert.ok(all.has(call));
    }
  },
);

test("berth's filter allows some calls with no capability, however many there are", async () => {
  const every = allowed(
    await filterOf(['CAP_SYS_ADMIN', 'CAP_SYS_BOOT', 'CAP_SYS_PTRACE', 'CAP_SYS_RAWIO']),
  );
  for (const call of ['keyctl', 'add_key', 'request_key', 'kexec_load', 'io_uring_setup', 'swapon'])
    assert.ok(!every.has(call), call);
});

each(
  "berth's filter compiles, and answers no call in two ways",
  ['amd64', 'arm64', '386', 'riscv64'].map((architecture) => ({ name: architecture })),
  async ({ name }) => {
    const profile = await filterOf(['CAP_CHOWN'], undefined, name);
    const warnings: string[] = [];
    const { instructions } = compileSeccomp(profile, {
      architecture: name,
      warn: (text) => warnings.push(text),
    });
    assert.deepEqual(warnings, []);
    assert.equal(instructions.length, 1);
    const plain = profile?.syscalls.filter(({ args }) => args.length === 0) ?? [];
    const names = plain.flatMap((rule) => rule.names);
    assert.deepEqual(
      names.filter((call, index) => names.indexOf(call) !== index),
      [],
    );
  },
);

/** The last call that unit-templates/seccomp.json was written for (file_setattr of Linux 6.17). */
const LAST_CALL = 469;
/** Where ARM has calls of its own. */
const FIRST_OF_ARM = 0xf0000;

each(
  'unit-templates/seccomp.json says something of every call that libseccomp knows',
  ['x86_64', 'x86', 'aarch64', 'arm'].map((architecture) => ({ name: architecture })),
  ({ name }) => {
    const library = loadKoffi().load('libseccomp.so.2');
    const tokenOf = library.func('uint32_t seccomp_arch_resolve_name(const char *name)');
    const nameOf = library.func(
      'const char *seccomp_syscall_resolve_num_arch(uint32_t arch, int number)',
    );
    const text = readFileSync(`${projectRoot}/unit-templates/seccomp.json`, 'utf8');
    const { syscalls } = JSON.parse(text) as { syscalls: { names: string[] }[] };
    const told = new Set(syscalls.flatMap(({ names }) => names));
    const numbers = Array.from({ length: LAST_CALL + 1 }, (_, number) => number);
    const known = [...numbers, ...numbers.slice(0, 16).map((number) => FIRST_OF_ARM + number)]
      .map((number) => nameOf(tokenOf(name), number) as string | null)
      .filter((call) => call !== null);
    assert.ok(known.length > 300, `${known.length} calls of ${name}`);
    assert.deepEqual(
      known.filter((call) => !told.has(call)),
      [],
    );
  },
);

test('a config.json of an image stays as it is where nobody chose a filter', async () => {
  const config = '{"linux":{}}';
  assert.deepEqual(
    await withSystemCallFilter(config, {
      choice: { kind: 'default' },
      ownConfig: false,
      architecture: undefined,
    }),
    { text: config, filter: { kind: 'image' } },
  );
});

test('what the administrator chose takes the place of what a config.json has', async () => {
  const config = JSON.stringify(
    runtimeConfigDocument({ linux: { seccomp: { defaultAction: 'SCMP_ACT_KILL', syscalls: [] } } }),
  );
  const request = { ownConfig: false, architecture: 'amd64' };
  const none = await withSystemCallFilter(config, { ...request, choice: { kind: 'unconfined' } });
  assert.equal(parseRuntimeConfig(none.text).linux.seccomp, undefined);
  const profile = '{"defaultAction":"SCMP_ACT_LOG","syscalls":[]}';
  const choice = { kind: 'file', file: '/x', profile } as const;
  const own = await withSystemCallFilter(config, { ...request, choice });
  assert.equal(parseRuntimeConfig(own.text).linux.seccomp?.defaultAction, 'SCMP_ACT_LOG');
  assert.deepEqual(own.filter, choice);
});

test('knowsSystemCall() tells calls from other words', () => {
  assert.deepEqual(['read', 'arm_sync_file_range', 'constructor'].map(knowsSystemCall), [
    true,
    true,
    false,
  ]);
});

test('describeFilter() says what there is, whatever was chosen', () => {
  const unconfined = { kind: 'unconfined' } as const;
  const file = { kind: 'file', file: '/p.json', profile: '{}' } as const;
  assert.match(describeFilter(unconfined, false), /no filter \(--seccomp unconfined\)/);
  assert.match(describeFilter(unconfined, true), /its config\.json lets through/);
  assert.match(describeFilter(file, true), /the profile \/p\.json lets through/);
  assert.match(describeFilter(file, false), /^all: its config\.json has no filter/);
  assert.match(describeFilter({ kind: 'berth' }, true), /berth's own filter/);
});
