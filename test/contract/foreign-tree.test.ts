import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';

import { readHostPlatform } from '../../src/images/host-platform.js';
import { PACKAGED_LAUNCHER } from '../../src/runtime/packaged-launcher.js';
import { INSTRUCTIONS, PLAN_FORMAT, splitPlan } from '../../src/runtime/plan-format.js';
import { BerthInTree } from '../support/berth-in-tree.js';
import { each } from '../support/each.js';
import { configTemplate, SERVICE_TEMPLATE } from '../support/exports-image.js';
import { runCommand } from '../support/run-command.js';
import { writeLayout } from '../support/write-layout.js';

/** By Go's word: `e_machine`, how a filter names it (AUDIT_ARCH_…), and the number that it has for mkdirat(2). */
const ARCHITECTURES = {
  amd64: { machine: 62, audit: 0xc000003e, mkdirat: 258 },
  arm64: { machine: 183, audit: 0xc00000b7, mkdirat: 34 },
  riscv64: { machine: 243, audit: 0xc00000f3, mkdirat: 34 },
} as const;
type Architecture = keyof typeof ARCHITECTURES;

const OWN: Architecture = readHostPlatform().architecture === 'arm64' ? 'arm64' : 'amd64';
const FOREIGN: Architecture = OWN === 'arm64' ? 'amd64' : 'arm64';

const CONFIG = configTemplate({
  linux: {
    namespaces: [{ type: 'pid' }, { type: 'mount' }],
    seccomp: {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdirat'], action: 'SCMP_ACT_ERRNO' }],
    },
  },
});

/** A tree with a file that looks like a program of an architecture, for each path. */
function treeWith(programs: Readonly<Record<string, Architecture>>): BerthInTree {
  const tree = new BerthInTree();
  for (const [path, architecture] of Object.entries(programs)) {
    const header = Buffer.alloc(64);
    header.write('\x7fELF\x02\x01\x01', 'latin1');
    header.writeUInt16LE(ARCHITECTURES[architecture].machine, 18);
    mkdirSync(dirname(tree.path + path), { recursive: true });
    writeFileSync(tree.path + path, header, { mode: 0o755 });
  }
  return tree;
}

function imageFor(tree: BerthInTree, architecture: Architecture): string {
  return writeLayout(tree.layout(architecture), {
    architecture,
    layers: [
      [
        { path: 'probe', content: 'program', mode: 0o755 },
        { path: 'proc/' },
        { path: 'exports/' },
        { path: 'exports/service.template', content: SERVICE_TEMPLATE },
        { path: 'exports/config.json.template', content: CONFIG },
      ],
    ],
  });
}

/** What a filter compares with: the architecture, and numbers of calls. */
function comparedBy(tree: BerthInTree, name: string): readonly number[] {
  const plan = splitPlan(readFileSync(`${tree.path}/var/lib/berth/${name}/launch.plan`));
  const filter = plan.find(({ op }) => op === INSTRUCTIONS.SECCOMP.op)?.body.subarray(8);
  assert.ok(filter);
  const found: number[] = [];
  for (let at = 0; at < filter.length; at += 8)
    if ((filter.readUInt16LE(at) & 0x07) === 0x05) found.push(filter.readUInt32LE(at + 4));
  return found;
}

const SYSTEMD = '/usr/lib/systemd/systemd';

each(
  'a tree of another architecture gets the image, the launcher and the filter of that',
  [
    { name: 'by its systemd', programs: { [SYSTEMD]: FOREIGN, '/bin/sh': OWN } },
    { name: 'by its shell', programs: { '/bin/sh': FOREIGN } },
  ],
  async ({ programs }: { programs: Record<string, Architecture> }) => {
    using tree = treeWith({ ...programs, [PACKAGED_LAUNCHER]: FOREIGN });
    const refused = await tree.run('install', '--name', 'one', imageFor(tree, OWN));
    assert.equal(refused.status, 66, refused.stderr);
    assert.match(refused.stderr, new RegExp(`'linux/${OWN}', not for linux/${FOREIGN}`));

    await tree.runOk('install', '--name', 'one', imageFor(tree, FOREIGN));
    const unit = readFileSync(`${tree.path}/etc/systemd/system/one.service`, 'utf8');
    assert.match(unit, new RegExp(`^ExecStart=${PACKAGED_LAUNCHER} `, 'm'));
    const { audit, mkdirat } = ARCHITECTURES[FOREIGN];
    const isFiltered = (): void => {
      const compared = comparedBy(tree, 'one');
      assert.ok(compared.includes(audit) && compared.includes(mkdirat), compared.join());
      assert.ok(!compared.includes(ARCHITECTURES[OWN].audit), compared.join());
    };
    isFiltered();

    const config = `${tree.path}/var/lib/berth/one/config.json`;
    writeFileSync(config, readFileSync(config, 'utf8').replace('"A=b"', '"A=c"'));
    await tree.runOk('apply', 'one');
    isFiltered();
  },
);

each(
  'a tree whose architecture is this one, or does not show, is worked on as this machine is',
  [
    { name: 'the same', programs: { [SYSTEMD]: OWN } },
    { name: 'no programs', programs: {} },
  ],
  async ({ programs }: { programs: Record<string, Architecture> }) => {
    using tree = treeWith(programs);
    await tree.runOk('install', '--name', 'one', imageFor(tree, OWN));
    assert.ok(comparedBy(tree, 'one').includes(ARCHITECTURES[OWN].audit));
  },
);

test('the platform can be chosen, and the filter is of the tree all the same', async () => {
  using tree = treeWith({ [SYSTEMD]: FOREIGN, [PACKAGED_LAUNCHER]: FOREIGN });
  const platform = ['--platform', `linux/${OWN}`];
  await tree.runOk('install', '--name', 'one', ...platform, imageFor(tree, OWN));
  assert.ok(comparedBy(tree, 'one').includes(ARCHITECTURES[FOREIGN].audit));
});

test('a tree for whose architecture there is no launcher is refused before anything is made', async () => {
  using tree = treeWith({ [SYSTEMD]: 'riscv64', [PACKAGED_LAUNCHER]: OWN });
  const refused = await tree.run('install', '--name', 'one', imageFor(tree, 'riscv64'));
  assert.equal(refused.status, 69);
  assert.match(
    refused.stderr,
    /there is no launcher for riscv64, which the programs of the tree are for/,
  );

  const named = await runCommand(
    tree.command('install', '--name', 'one', imageFor(tree, 'riscv64')),
    { env: { ...process.env, BERTH_LAUNCHER: PACKAGED_LAUNCHER } },
  );
  assert.equal(named.status, 69);
  assert.match(
    named.stderr,
    new RegExp(`the launcher '/usr/libexec/berth/launch-${PLAN_FORMAT}' is not for riscv64`),
  );
  assert.doesNotMatch(await tree.runOk('list'), /one/);
});
