import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { bootHost } from '../support/booted-host.js';
import { projectRoot } from '../support/cache-folder.js';
import { putProgramInto } from '../support/machine-berth.js';
import { onMachine } from '../support/on-machine.js';
import { runOk } from '../support/run-command.js';

const CASES = '/opt/berth/dist/test/contract/systemd-scopes.js';

/** Time for the cases in emulation, where Node takes ten times as long. */
const CASES_TIMEOUT_MS = 240_000;

test('scopes hold containers on a booted host', async () => {
  await using host = await bootHost({ suite: 'trixie' });
  const run = await host.run(['node', '--test', CASES]);
  assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
  assert.match(run.stdout, /^# pass 8$/m);
});

test('limits of version 2 take hold on a whole machine', async () => {
  const prepare = async (tree: string): Promise<void> => {
    await putProgramInto(tree);
    // The cases import what they test, which a host has in the bundle alone.
    for (const part of ['dist/test', 'dist/src', 'dist/ostree-adapter'])
      await runOk(['cp', '-r', join(projectRoot, part), join(tree, 'opt/berth', part)]);
  };
  await onMachine({ suite: 'trixie', prepare }, async (machine) => {
    const run = await machine.run(`node ${CASES}`, CASES_TIMEOUT_MS);
    assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
    assert.doesNotMatch(run.stdout, /there are no controllers/);
  });
});

/**
 * The runtime's command line with every limit that the machine's hierarchies of version 1 have. $manager is empty, or
 * --systemd-cgroup. systemd-nspawn shows them read-only.
 */
const VERSION_1 = `
  for place in /sys/fs/cgroup/*; do mount -o remount,bind,rw $place; done
  mkdir -p /root/bundle/rootfs/bin; cd /root/bundle; rm -f config.json
  cp /usr/bin/busybox rootfs/bin/; for name in sh sleep cat; do ln -sf busybox rootfs/bin/$name; done
  for name in proc sys dev; do mkdir -p rootfs/$name; done
  runtime="node /opt/berth/dist/bin/berth-runtime.cjs $manager"; $runtime spec
  node -e '
    const fs = require("node:fs"); const document = JSON.parse(fs.readFileSync("config.json", "utf8"));
    Object.assign(document.process, { terminal: false, args: ["sleep", "100"] });
    Object.assign(document.linux.resources, {
      memory: { limit: 30000000, reservation: 20000000, swappiness: 10 }, pids: { limit: 7 },
      cpu: { shares: 512, quota: 20000, period: 50000, cpus: "0", mems: "0" },
      blockIO: { throttleReadBpsDevice: [{ major: Number(process.argv[1]), minor: 0, rate: 1000000 }] } });
    fs.writeFileSync("config.json", JSON.stringify(document))' "$major"
  $runtime run --detach legacy </dev/null
  pid=$($runtime state legacy | grep '"pid"' | tr -dc 0-9)
  show() { for name in "$@"; do cat "/sys/fs/cgroup/\${name%%.*}$(sed -n "s/^[0-9]*:\${name%%.*}://p" /proc/$pid/cgroup)/$name"; done; }
  sed -n 's/^[0-9]*:memory://p' /proc/$pid/cgroup
  show memory.limit_in_bytes memory.soft_limit_in_bytes memory.swappiness pids.max cpu.shares cpu.cfs_quota_us cpu.cfs_period_us cpuset.cpus cpuset.mems
  show blkio.throttle.read_bps_device devices.list | tr '\\n' ' '; echo
  $runtime pause legacy; show freezer.state; $runtime resume legacy; show freezer.state
  $runtime update --memory 60000000 --pids-limit 9 legacy; show memory.limit_in_bytes pids.max
  $runtime exec legacy sh -c ': </dev/null && echo null'
  $runtime exec --detach legacy sleep 100; $runtime ps --format json legacy | tr -dc ,; echo
  $runtime delete --force legacy; find /sys/fs/cgroup -name legacy -o -name berth-legacy.scope
  for place in /sys/fs/cgroup/[!s]*/system.slice; do [ -d $place ] && find $place -depth -type d -exec rmdir {} +; done; true`;

test('limits of version 1 take hold, by cgroupfs and by a scope of systemd 252', async (t) => {
  const isLegacy = / - cgroup cgroup .*\bmemory\b/.test(
    readFileSync('/proc/self/mountinfo', 'utf8'),
  );
  if (!isLegacy) {
    t.diagnostic('this machine has no hierarchies of version 1');
    return;
  }
  const prepare = (tree: string): Promise<void> =>
    copyFile('/usr/bin/busybox', join(tree, 'usr/bin/busybox'));
  await using host = await bootHost({ suite: 'bookworm', cgroupVersion: 1, prepare });
  const major = (/^ *(\d+) +0 .*[a-z]$/m.exec(readFileSync('/proc/partitions', 'utf8')) ?? [])[1];
  assert.ok(major !== undefined, 'this machine has no disk');
  for (const [manager, place] of [
    ['', '/berth/legacy'],
    ['--systemd-cgroup', '/system.slice/berth-legacy.scope'],
  ] as const) {
    const script = `manager=${manager}; major=${major}; ${VERSION_1}`;
    const { stdout, stderr } = await host.run(['bash', '-c', script]);
    const want: readonly string[] = [
      ...[place, '29999104', '19996672', '10', '7', '512', '20000', '50000', '0', '0'],
      `${major}:0 1000000 c *:* m b *:* m c 1:3 rwm c 1:5 rwm c 1:7 rwm c 1:8 rwm c 1:9 rwm c 5:0 rwm c 5:2 rwm c 136:* rwm `,
      ...['FROZEN', 'THAWED', '59998208', '9', 'null', ',', ''],
    ];
    assert.equal(stdout, want.join('\n'), stderr);
  }
});
