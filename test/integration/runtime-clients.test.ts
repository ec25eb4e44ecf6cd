import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { bootHost, type BootedHost } from '../support/booted-host.js';
import { bootedHostRecipe, type TreeRecipe } from '../support/host-tree.js';
import { putProgramInto } from '../support/machine-berth.js';
import { onMachine } from '../support/on-machine.js';
import type { Suite } from '../support/suites.js';

/*
 * Engines that start containers through berth-runtime in place of crun. Each row is done with both: what crun gives is the
 * known good answer, and the row says what that has to be.
 */

/** Time for a row in emulation, where everything takes ten times as long. */
const MACHINE_TIMEOUT_MS = 300_000;

const OWN = '/usr/local/bin/berth-runtime';

/** What an engine is told, as a script in which $podman, $buildah and $runc are set up for the runtime. */
interface Row {
  readonly name: string;
  readonly script: string;
  readonly says: string | RegExp;
  readonly status?: number;
}

const podman: readonly Row[] = [
  { name: 'run', script: '$podman run --rm $image echo hello', says: 'hello\n' },
  {
    name: 'run: the exit status of the program',
    script: '$podman run --rm $image sh -c "exit 42"',
    says: '',
    status: 42,
  },
  {
    name: 'run: no such program',
    script:
      '$podman run --rm $image nonexistent 2>&1 | grep -o "was not found"; exit ${PIPESTATUS[0]}',
    says: 'was not found\n',
    status: 127,
  },
  {
    name: 'run: a directory is no program',
    script:
      '$podman run --rm $image /tmp 2>&1 | grep -o "OCI permission denied"; exit ${PIPESTATUS[0]}',
    says: 'OCI permission denied\n',
    status: 126,
  },
  {
    name: 'run: a file that may not be executed is no program',
    script:
      '$podman run --rm $image /etc/passwd 2>&1 | grep -o "OCI permission denied"; exit ${PIPESTATUS[0]}',
    says: 'OCI permission denied\n',
    status: 126,
  },
  {
    name: 'run --read-only',
    script:
      '$podman run --rm --read-only $image sh -c "touch /x 2>/dev/null || echo refused; touch /tmp/y && echo taken"',
    says: 'refused\ntaken\n',
  },
  {
    name: 'run --cap-drop',
    script: '$podman run --rm --cap-drop all --cap-add net_raw $image grep Cap /proc/self/status',
    says: /^CapPrm:\t0{12}2000$/m,
  },
  {
    name: 'run: identity, surroundings and limits',
    script:
      '$podman run --rm --user 1234:56 --env X=1 -w /tmp --ulimit nofile=100:200 --hostname inside $image sh -c "id -u; id -g; echo \\$X; pwd; ulimit -n; hostname"',
    says: '1234\n56\n1\n/tmp\n100\ninside\n',
  },
  {
    name: 'run: mounts and kernel parameters',
    script:
      '$podman run --rm --tmpfs /mnt:size=1m --shm-size 1m -v /etc:/outside:ro --sysctl net.ipv4.ip_forward=1 $image sh -c "cat /outside/hostname /proc/sys/net/ipv4/ip_forward; touch /outside/x 2>/dev/null || echo refused; grep -c size=1024k /proc/mounts"',
    says: /^\w+\n1\nrefused\n2\n$/,
  },
  {
    name: 'run --security-opt: no new privileges, no filter',
    script:
      '$podman run --rm --security-opt no-new-privileges --security-opt seccomp=unconfined $image grep -E "NoNew|Seccomp:" /proc/self/status',
    says: 'NoNewPrivs:\t1\nSeccomp:\t0\n',
  },
  {
    name: 'run: the usual filter',
    script: '$podman run --rm $image grep -E "NoNew|Seccomp:" /proc/self/status',
    says: 'NoNewPrivs:\t0\nSeccomp:\t2\n',
  },
  {
    name: 'run --userns=auto: owners that are nobody on the host',
    script:
      '$podman run --rm --userns=auto $image sh -c "id -u; stat -c %u / /bin /etc/hostname; touch /made && stat -c %u /made; grep -c \\" 0 *0 \\" /proc/self/uid_map"',
    says: '0\n0\n0\n0\n0\n0\n',
    status: 1,
  },
  {
    name: 'run --privileged --pid host',
    script:
      '$podman run --rm --privileged --pid host $image sh -c "grep CapEff /proc/self/status; test \\$\\$ -gt 1 && echo beside"',
    says: /^CapEff:\t0{5}1f+ef+\nbeside\n$/,
  },
  {
    name: 'run -d, exec, exec -t, pause, logs, stop, rm',
    script: `
      $podman run -d --name life $image sh -c 'trap "echo stopping; exit 3" TERM; echo begun; while :; do sleep 0.1; done' >/dev/null
      $podman exec life echo inside
      $podman exec -u 5:6 -w /tmp -e A=b life sh -c 'id -u; pwd; echo $A; exit 7'; echo "status $?"
      $podman exec life nonexistent 2>/dev/null; echo "status $?"
      $podman exec life /tmp 2>/dev/null; echo "status $?"
      $podman exec -t life sh -c 'tty; exit 4' </dev/null; echo "status $?"
      $podman pause life >/dev/null; $podman inspect --format '{{.State.Status}}' life; $podman unpause life >/dev/null
      $podman kill --signal CONT life >/dev/null
      $podman stop --time 20 life >/dev/null
      $podman inspect --format '{{.State.Status}} {{.State.ExitCode}}' life
      $podman logs life
      $podman start life >/dev/null && $podman inspect --format '{{.State.Status}}' life
      $podman rm --force --time 0 life >/dev/null; $podman ps --all --quiet`,
    says: [
      'inside\n5\n/tmp\nb\nstatus 7\nstatus 127\nstatus 126\n/dev/pts/0\r\nstatus 4\npaused\nexited 3\nbegun\nstopping\nrunning\n',
    ].join(''),
  },
  {
    name: 'health checks',
    script: `
      $podman run -d --name sick --health-cmd 'cat /tmp/well' --health-interval disable $image sleep 100 >/dev/null
      $podman healthcheck run sick >/dev/null; echo $?
      $podman exec sick touch /tmp/well
      $podman healthcheck run sick >/dev/null; echo $?
      $podman rm --force --time 0 sick >/dev/null`,
    says: '1\n0\n',
  },
  {
    name: 'a pod whose containers share a network, a name and their messages',
    script: `
      $podman pod create --network none --hostname shared pod >/dev/null
      $podman run -d --pod pod --name first $image sleep 100 >/dev/null
      seen() { printf '%s\\n' 'readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; hostname'; }
      [ "$($podman exec first sh -c "$(seen)")" = "$($podman run --rm --pod pod $image sh -c "$(seen)")" ] && echo same
      $podman exec first hostname
      $podman pod rm --force --time 0 pod >/dev/null; $podman ps --all --quiet`,
    says: 'same\nshared\n',
  },
];

const others: readonly Row[] = [
  {
    name: 'buildah run',
    script: `
      work=$(buildah from --ulimit nofile=1024:1024 --ulimit nproc=1000:1000 --pull-never $image)
      run() { buildah run --runtime $runtime --isolation oci --network none "$@"; }
      run $work sh -c 'id -u; echo made >/made'
      run $work cat /made
      run -v /etc:/outside:ro --cap-drop all $work sh -c 'test -e /outside/hostname && grep CapEff /proc/self/status'
      run $work sh -c 'exit 9' 2>/dev/null; echo $?
      buildah rm $work >/dev/null`,
    says: '0\nmade\nCapEff:\t0000000000000000\n9\n',
  },
  {
    name: 'containerd with its shim for runc',
    script: `
      run() { ctr run --runc-binary $runtime "$@"; }
      run --rm --config /root/bundle/once.json once; echo $?
      run --detach --config /root/bundle/config.json held
      ctr task exec --exec-id one held echo inside
      ctr task exec --exec-id two held sh -c 'exit 5'; echo $?
      state() { ctr task ls | awk '$1 == "held" { print $3 }'; }
      state; ctr task pause held; state; ctr task resume held; state
      ctr task kill --signal SIGKILL held
      for try in $(seq 100); do [ "$(state)" = STOPPED ] && break; sleep 0.1; done; state
      ctr task rm held 2>/dev/null; ctr container rm held; ctr container ls --quiet`,
    says: 'hello\n6\ninside\n5\nRUNNING\nPAUSED\nRUNNING\nSTOPPED\n',
  },
];

/** A busybox with a name for each of its commands that the rows use, as an image, and as a bundle for containerd. */
const PREPARE = `
  ln -s /opt/berth/dist/src/runtime-main.js ${OWN}
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
  '
`;

const ENGINES = ['podman', 'catatonit', 'uidmap', 'crun', 'busybox-static'];

function recipe(suite: Suite): TreeRecipe {
  const base = bootedHostRecipe(suite);
  return {
    ...base,
    name: 'engines',
    packages: [...base.packages, ...ENGINES, 'buildah', 'containerd'],
  };
}

/** What the engines need where the file system is not one for overlays; and not to ask for limits where there are no controllers. */
function configure(tree: string, containers = 'pids_limit = 0\n'): void {
  const write = (path: string, text: string): void => {
    mkdirSync(join(tree, path, '..'), { recursive: true });
    writeFileSync(join(tree, path), text);
  };
  write('etc/containers/policy.json', '{"default":[{"type":"insecureAcceptAnything"}]}');
  write(
    'etc/containers/storage.conf',
    '[storage]\ndriver = "vfs"\nrunroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n',
  );
  write('etc/containers/containers.conf', `[containers]\nnetns = "none"\n${containers}`);
  // Whose numbers --userns=auto takes.
  appendFileSync(
    join(tree, 'etc/passwd'),
    'containers:x:990:990::/nonexistent:/usr/sbin/nologin\n',
  );
  for (const file of ['etc/subuid', 'etc/subgid']) write(file, 'containers:200000:1000000\n');
}

function variables(runtime: string): string {
  return `runtime=${runtime}; podman="podman --runtime ${runtime}"; image=localhost/engine-test`;
}

async function ask(
  host: BootedHost,
  runtime: string,
  script: string,
): Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }> {
  const { status, stdout, stderr } = await host.run(
    ['bash', '-c', `${variables(runtime)}\n${script}`],
    {
      timeoutMs: 120_000,
    },
  );
  return { status, stdout, stderr };
}

for (const suite of ['trixie', 'forky'] as const) {
  test(`engines run containers through berth-runtime: ${suite}`, async (t) => {
    await using host = await bootHost({ suite, recipe: recipe(suite), prepare: configure });
    await host.sh(PREPARE);
    for (const { name, script, says, status } of [...podman, ...others]) {
      await t.test(name, async () => {
        const known = await ask(host, 'crun', script);
        if (typeof says === 'string') assert.equal(known.stdout, says, `crun: ${known.stderr}`);
        else assert.match(known.stdout, says, `crun: ${known.stderr}`);
        assert.equal(known.status, status ?? 0, `crun: ${known.stderr}`);
        const own = await ask(host, OWN, script);
        assert.deepEqual({ ...own, stderr: '' }, { ...known, stderr: '' }, own.stderr);
      });
    }
    assert.equal(
      (await ask(host, OWN, 'berth-runtime list --quiet; ls /run/berth-runtime')).stdout,
      '',
    );
  });
}

const limits: readonly Row[] = [
  {
    name: 'run with limits, update, stats, and an end for want of memory',
    script: `
      $podman run -d --name held --memory 64m --memory-swap 64m --pids-limit 7 --cpus 0.5 --cpu-shares 512 $image sleep 1000 >/dev/null
      group=/sys/fs/cgroup/$($podman inspect --format '{{.State.CgroupPath}}' held)
      limits() { cat $group/memory.max $group/pids.max $group/cpu.max $group/cpu.weight; }
      limits
      $podman update --memory 128m --memory-swap 128m --pids-limit 9 --cpus 1 held >/dev/null && limits
      $podman stats --no-stream --format '{{.PIDs}} {{.MemLimit}}' held
      $podman exec held sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 9 & done' >/dev/null 2>&1; echo $?
      $podman rm --force --time 0 held >/dev/null
      $podman run --rm --memory 16m --memory-swap 16m $image sh -c 'all=$(head -c 64m /dev/zero | tr "\\0" a); echo "$all"' >/dev/null 2>&1; echo $?`,
    says: /^67108864\n7\n50000 100000\n\d+\n134217728\n9\n100000 100000\n\d+\n1 .*\n2\n137\n$/,
  },
];

test('podman sets limits through berth-runtime on a whole machine', async (t) => {
  const prepare = async (tree: string): Promise<void> => {
    await putProgramInto(tree);
    configure(tree, '');
  };
  const extra = { name: 'engines', packages: ENGINES };
  await onMachine({ suite: 'trixie', extra, prepare }, async (machine) => {
    await machine.sh(PREPARE, MACHINE_TIMEOUT_MS);
    for (const { name, script, says } of limits) {
      await t.test(name, async () => {
        const ask = (runtime: string) =>
          machine.run(`${variables(runtime)}\n${script}`, MACHINE_TIMEOUT_MS);
        const known = await ask('crun');
        assert.match(known.stdout, says as RegExp, `crun: ${known.stderr}`);
        const own = await ask(OWN);
        assert.equal(own.stdout, known.stdout, own.stderr);
      });
    }
  });
});
