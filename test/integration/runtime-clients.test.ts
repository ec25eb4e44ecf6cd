import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { bootHost, type BootedHost } from '../support/booted-host.js';
import {
  apparmorRow,
  CONFINEMENT_PACKAGES,
  prepareConfinement,
  selinuxRow,
  WITH_SELINUX,
} from '../support/confined-machine.js';
import {
  AS_USER,
  directRows,
  limitRows,
  otherRows,
  ownRows,
  podmanRows,
  rootlessRows,
  type EngineRow,
} from '../support/engine-rows.js';
import { bootedHostRecipe, type TreeRecipe } from '../support/host-tree.js';
import { putProgramInto } from '../support/machine-berth.js';
import { onMachine } from '../support/on-machine.js';
import type { Suite } from '../support/suites.js';

/*
 * Engines that start containers through berth-runtime in place of crun. Each row is done with both: what crun gives is the
 * known good answer, and the row says what that has to be. `walt` is an ordinary user with a service manager of his own.
 */

/** Time for a row in emulation, where everything takes ten times as long. */
const MACHINE_TIMEOUT_MS = 300_000;

const OWN = '/usr/local/bin/berth-runtime';

/** A busybox with a name for each of its commands that the rows use, as an image, and as a bundle for containerd. */
const PREPARE = `
  ln -s /opt/berth/dist/bin/berth-runtime.cjs ${OWN}
  mkdir -p /root/bundle/rootfs/bin && cd /root/bundle
  for dir in tmp etc proc sys dev run; do mkdir rootfs/$dir; done
  cp /usr/bin/busybox rootfs/bin/
  for name in sh cat echo head tr sleep id grep touch stat hostname readlink tty stty test; do ln -s busybox rootfs/bin/$name; done
  echo root:x:0:0:root:/:/bin/sh >rootfs/etc/passwd
  tar -C rootfs -c . | podman import --quiet - engine-test >/dev/null
  ${OWN} spec
  node -e '
    const { readFileSync, writeFileSync } = require("node:fs");
    const document = JSON.parse(readFileSync("config.json", "utf8"));
    document.root.path = "/root/bundle/rootfs";
    document.process.terminal = false;
    const write = (name, args) => writeFileSync(name, JSON.stringify({ ...document, process: { ...document.process, args } }));
    write("config.json", ["sleep", "100"]);
    write("once.json", ["sh", "-c", "echo hello; exit 6"]);
    write("gone.json", ["/not/there"]);
  '
`;

const ENGINES = ['podman', 'catatonit', 'uidmap', 'crun', 'busybox-static'];

/** What gives an ordinary user a service manager of his own. */
const USER_SESSION = ['libpam-systemd', 'dbus-user-session'];

function recipe(suite: Suite): TreeRecipe {
  const base = bootedHostRecipe(suite);
  return {
    ...base,
    name: 'engines',
    packages: [...base.packages, ...ENGINES, 'buildah', 'containerd', ...USER_SESSION],
  };
}

/** What the engines need where the file system is not one for overlays; and not to ask for limits where there are no controllers. */
function configure(tree: string, containers = 'pids_limit = 0\n'): void {
  const write = (path: string, text: string): void => {
    mkdirSync(join(tree, path, '..'), { recursive: true });
    writeFileSync(join(tree, path), text);
  };
  write('etc/containers/policy.json', '{"default":[{"type":"insecureAcceptAnything"}]}');
  const storage = (run: string, images: string): string =>
    `[storage]\ndriver = "vfs"\nrunroot = "${run}"\ngraphroot = "${images}"\n`;
  write(
    'etc/containers/storage.conf',
    storage('/run/containers/storage', '/var/lib/containers/storage'),
  );
  write(
    'home/walt/.config/containers/storage.conf',
    storage('/run/user/1000/containers', '/home/walt/.local/share/containers/storage'),
  );
  write(
    'etc/containers/containers.conf',
    `[containers]\nnetns = "none"\n${containers}[engine]\nruntime_supports_nocgroup = ["crun", "berth-runtime"]\n`,
  );
  const add = (path: string, text: string): void => {
    appendFileSync(join(tree, path), text);
  };
  // Whose numbers --userns=auto takes.
  add('etc/passwd', 'containers:x:990:990::/nonexistent:/usr/sbin/nologin\n');
  add('etc/passwd', 'walt:x:1000:1000::/home/walt:/bin/bash\n');
  add('etc/group', 'walt:x:1000:\n');
  add('etc/shadow', 'walt:*:20000::::::\n');
  write('var/lib/systemd/linger/walt', '');
  for (const file of ['etc/subuid', 'etc/subgid'])
    write(file, 'containers:200000:1000000\nwalt:100000:65536\n');
}

function variables(runtime: string): string {
  return `runtime=${runtime}; podman="podman --runtime ${runtime}"; image=localhost/engine-test`;
}

interface Answer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

type Ask = (runtime: string, script: string) => Promise<Answer>;

/** Runs scripts as root, or in a session of walt's as after a login. */
function asker(host: BootedHost, as: readonly string[] = []): Ask {
  return async (runtime, script) => {
    const argv = [...as, 'bash', '-c', `${variables(runtime)}\n${script}`];
    const { status, stdout, stderr } = await host.run(argv, { timeoutMs: 120_000 });
    return { status, stdout, stderr };
  };
}

const AS_WALT = [
  ...['systemd-run', '--quiet', '--pipe', '--wait', '--collect', '--uid=walt'],
  '--expand-environment=no',
  ...['--property=PAMName=login', '--working-directory=/home/walt', '--setenv=HOME=/home/walt'],
  '--setenv=PATH=/usr/local/bin:/usr/bin:/bin',
];

async function compare(ask: Ask, { script, says, status }: EngineRow): Promise<void> {
  const known = await ask('crun', script);
  if (typeof says === 'string') assert.equal(known.stdout, says, `crun: ${known.stderr}`);
  else assert.match(known.stdout, says, `crun: ${known.stderr}`);
  assert.equal(known.status, status ?? 0, `crun: ${known.stderr}`);
  const own = await ask(OWN, script);
  assert.deepEqual({ ...own, stderr: '' }, { ...known, stderr: '' }, own.stderr);
}

for (const suite of ['trixie', 'forky'] as const) {
  test(`engines run containers through berth-runtime: ${suite}`, async (t) => {
    await using host = await bootHost({ suite, recipe: recipe(suite), prepare: configure });
    await host.sh(PREPARE);
    const asRoot = asker(host);
    for (const row of [...podmanRows, ...otherRows]) {
      await t.test(row.name, () => compare(asRoot, row));
    }
    const left = await asRoot(OWN, 'berth-runtime list --quiet; ls /run/berth-runtime');
    assert.equal(left.stdout, '');
    const asWalt = asker(host, AS_WALT);
    await host.sh('cp -r /root/bundle/rootfs /home/walt && chown -R walt:walt /home/walt');
    await asWalt(OWN, 'tar -C rootfs -c . | podman import --quiet - engine-test');
    const asUser = podmanRows.filter(({ name }) => AS_USER.has(name));
    assert.equal(asUser.length, AS_USER.size, 'a row has another name');
    // What the runtime does by itself does not depend on the version of podman.
    const isAll = suite === 'trixie';
    const rows = [...asUser, ...rootlessRows];
    for (const row of isAll
      ? [...rows, ...directRows]
      : rows.filter(({ name }) => name.includes(' -d'))) {
      await t.test(`as an ordinary user: ${row.name}`, () => compare(asWalt, row));
    }
    for (const { name, script, says } of isAll ? ownRows : []) {
      await t.test(`as an ordinary user: ${name}`, async () => {
        const { stdout, stderr } = await asWalt(OWN, script);
        if (typeof says === 'string') assert.equal(stdout, says, stderr);
        else assert.match(stdout, says, stderr);
      });
    }
    const own = await asWalt(
      OWN,
      'ls $XDG_RUNTIME_DIR/berth-runtime; systemctl --user --failed -q',
    );
    assert.equal(own.stdout, '', own.stderr);
  });
}

test('limits and labels take hold through berth-runtime on a whole machine', async (t) => {
  const prepare = async (tree: string): Promise<void> => {
    await putProgramInto(tree);
    configure(tree, '');
    await prepareConfinement(tree);
  };
  const extra = { name: 'engines', packages: [...ENGINES, ...CONFINEMENT_PACKAGES] };
  await onMachine({ suite: 'trixie', extra, prepare }, async (machine) => {
    await machine.sh(PREPARE, MACHINE_TIMEOUT_MS);
    // What crun says is in the rows: to have it say so again takes a minute of emulation.
    for (const { name, script, says } of limitRows) {
      await t.test(name, async () => {
        const asked = `${variables(OWN)}\n${script}`;
        const { stdout, stderr } = await machine.run(asked, MACHINE_TIMEOUT_MS);
        assert.match(stdout, says as RegExp, stderr);
      });
    }
    const confined = async ({ script, says }: { script: string; says: string }) => {
      const { stdout, stderr } = await machine.run(script, MACHINE_TIMEOUT_MS);
      assert.equal(stdout, says, stderr);
    };
    await t.test('AppArmor keeps a container, its exec and a service in a profile', () =>
      confined(apparmorRow),
    );
    await machine.reboot(WITH_SELINUX);
    await t.test('SELinux labels a container, its exec and its mounts', () => confined(selinuxRow));
  });
});
