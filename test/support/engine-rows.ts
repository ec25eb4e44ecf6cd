/** What an engine is told, as a script in which $podman, $buildah and $runc are set up for the runtime. */
export interface EngineRow {
  readonly name: string;
  readonly script: string;
  readonly says: string | RegExp;
  readonly status?: number;
}

/** podman, as root and as an ordinary user. */
export const podmanRows: readonly EngineRow[] = [
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

/** Engines that only root runs here. */
export const otherRows: readonly EngineRow[] = [
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
      ctr task exec --exec-id one held sh -c 'echo inside; sleep 0.3'
      ctr task exec --exec-id two held sh -c 'exit 5'; echo $?
      state() { ctr task ls | awk '$1 == "held" { print $3 }'; }
      state; ctr task pause held; state; ctr task resume held; state
      ctr task kill --signal SIGKILL held
      for try in $(seq 100); do [ "$(state)" = STOPPED ] && break; sleep 0.1; done; state
      ctr task rm held 2>/dev/null; ctr container rm held; ctr container ls --quiet
      run --rm --config /root/bundle/gone.json gone 2>/dev/null || echo refused
      ctr task ls --quiet; ctr container ls --quiet; ls /run/containerd/runc/default`,
    says: 'hello\n6\ninside\n5\nRUNNING\nPAUSED\nRUNNING\nSTOPPED\nrefused\n',
  },
];

/** Limits, where the host has controllers. */
export const limitRows: readonly EngineRow[] = [
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

/** podman as an ordinary user, beside {@link podmanRows} of {@link AS_USER}. */
export const rootlessRows: readonly EngineRow[] = [
  {
    name: 'run --userns=keep-id',
    script: '$podman run --rm --userns=keep-id $image sh -c "id -u; stat -c %u /"',
    says: '1000\n0\n',
  },
  {
    name: 'run -d --cgroups=disabled, exec, stop',
    script: `
      $podman run -d --name held --cgroups=disabled $image sh -c 'trap "exit 5" TERM; echo up; while :; do sleep 0.1; done' >/dev/null
      for try in $(seq 100); do [ "$($podman logs held)" = up ] && break; sleep 0.1; done
      $podman exec held echo inside
      $podman stop --time 20 held >/dev/null; $podman inspect --format '{{.State.ExitCode}}' held
      $podman rm held >/dev/null; $podman ps --all --quiet`,
    says: 'inside\n5\n',
  },
  {
    name: "run: its cgroup is a scope of the user's own manager",
    script: `
      $podman run -d --name held $image sleep 100 >/dev/null
      grep -o '/user@1000.service/.*[.]scope' /proc/$($podman inspect --format '{{.State.Pid}}' held)/cgroup | sed "s/-[0-9a-f]*[.]scope/-ID.scope/"
      $podman rm --force --time 0 held >/dev/null`,
    says: '/user@1000.service/user.slice/libpod-ID.scope\n',
  },
  {
    name: 'run --pid host --network host',
    script: `
      [ "$($podman run --rm --pid host --network host $image readlink /proc/self/ns/pid)" = "$(readlink /proc/self/ns/pid)" ] && echo same
      $podman run --rm --pid host --network host $image cat /sys/class/net/lo/mtu`,
    says: 'same\n65536\n',
  },
];

/** Rows of {@link podmanRows} that are done as an ordinary user too. */
export const AS_USER: ReadonlySet<string> = new Set([
  'run',
  'run --read-only',
  'run: identity, surroundings and limits',
  'run: mounts and kernel parameters',
  'run -d, exec, exec -t, pause, logs, stop, rm',
]);

/** A bundle that an ordinary user runs without any engine; $runtime is what is run. */
const BUNDLE = `
  export PATH=$PATH:/usr/sbin; rm -rf bundle; mkdir bundle && cd bundle && ln -s ../rootfs rootfs && berth-runtime spec --rootless
  edit() { node -e 'const fs = require("node:fs"); const d = JSON.parse(fs.readFileSync("config.json")); const { process: p, linux: l } = d;
    d.root.path = "/home/walt/rootfs"; p.terminal = false; eval(process.argv[1]); fs.writeFileSync("config.json", JSON.stringify(d))' "$1"; }
  program() { edit "p.args = ['sh', '-c', $(node -p 'JSON.stringify(process.argv[1])' "$1")]"; }
  ids="[{containerID:0,hostID:1000,size:1},{containerID:1,hostID:100000,size:65536}]"`;

/** What an ordinary user does with the runtime itself. */
export const directRows: readonly EngineRow[] = [
  {
    name: 'run in a namespace of one id',
    script: `${BUNDLE}
      program 'id -u; head -1 /proc/self/uid_map | tr -s " "; cat /proc/self/setgroups; touch /x 2>/dev/null || echo refused; exit 7'
      $runtime run one </dev/null`,
    says: '0\n 0 1000 1\ndeny\nrefused\n',
    status: 7,
  },
  {
    name: 'run with ids that the administrator has given, as one of them',
    script: `${BUNDLE}
      program 'id -u; id -g; grep -c "^Groups:.*7" /proc/self/status; touch /tmp/made && stat -c "%u %g" /tmp/made'
      edit "l.uidMappings = l.gidMappings = $ids; d.process.user = { uid: 5, gid: 6, additionalGids: [7] }"
      edit "d.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['mode=1777'] })"
      $runtime run many </dev/null`,
    says: '5\n6\n1\n5 6\n',
  },
];

/** What crun does otherwise: it makes no cgroup here, and leaves out without a word what was asked for. */
export const ownRows: readonly EngineRow[] = [
  {
    name: 'create, start, exec, exec with a terminal, kill, delete',
    script: `${BUNDLE}
      program 'echo begun; while :; do sleep 0.1; done'
      state() { $runtime state life | grep -o '"status": "[a-z]*"'; }
      $runtime create life >out </dev/null; state; $runtime start life; state
      for try in $(seq 100); do grep begun out && break; sleep 0.1; done
      $runtime exec life sh -c 'id -u; exit 3'; echo "status $?"
      script --quiet --return --command "$runtime exec --tty life sh -c 'tty; exit 4'" /dev/null </dev/null >terminal; echo "status $?"; grep -o /dev/pts/0 terminal
      $runtime kill life KILL; for try in $(seq 100); do state | grep stopped && break; sleep 0.1; done
      $runtime delete life; $runtime list --quiet`,
    says: '"status": "created"\n"status": "running"\nbegun\n0\nstatus 3\nstatus 4\n/dev/pts/0\n"status": "stopped"\n',
  },
  {
    name: 'its cgroup is a scope of his own manager: pause, resume, ps',
    script: `${BUNDLE}
      program 'while :; do sleep 0.1; done'
      $runtime run --detach life </dev/null; $runtime pause life; $runtime state life | grep -o paused; $runtime resume life
      grep -o '/user@1000.service/.*' /proc/$($runtime state life | grep '"pid"' | tr -dc 0-9)/cgroup
      $runtime exec --detach life sleep 100; $runtime ps --format json life | tr -dc ,; echo; $runtime delete --force life`,
    says: /^paused\n\/user@1000\.service\/user\.slice\/berth-life\.scope\n,+\n$/,
  },
  {
    name: 'what cannot be had is refused by name, and leaves nothing',
    script: `${BUNDLE}
      no() { cp config.json kept; edit "$1"; $runtime $2 run no 2>&1 </dev/null | grep level=error | grep -o 'msg=.*'; cp kept config.json; }
      no "l.namespaces = l.namespaces.filter(({ type }) => type !== 'user'); l.uidMappings = l.gidMappings = undefined"
      no "l.resources = { memory: { limit: 100000000 } }"
      no "l.resources = { pids: { limit: 5 } }" "--cgroup-manager disabled"
      no "l.resources = { pids: { limit: 5 } }; l.cgroupsPath = '/system.slice/mine'"
      no "l.uidMappings = [{ containerID: 0, hostID: 5, size: 1 }]"
      no "p.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 1, hard: 2000000000 }]"
      no "p.oomScoreAdj = -1000"
      ls $XDG_RUNTIME_DIR/berth-runtime`,
    says: new RegExp(
      [
        /^msg="linux.namespaces: there is no user namespace, and only root can do without one"\n/,
        /msg="linux.resources.memory.limit: this host has no memory.max for a cgroup"\n/,
        /msg="linux.resources.pids.limit cannot be kept: the caller wants no cgroup \(--cgroup-manager\)"\n/,
        /msg="linux.resources.pids.limit cannot be kept: the cgroup \/system.slice\/mine is not this user's to make"\n/,
        /msg="linux.uidMappings cannot be had: newuidmap .*"\n/,
        /msg="process.rlimits: RLIMIT_NOFILE is \d+ here, and only root can raise it to 2000000000"\n/,
        /msg="process.oomScoreAdj: it is \d+ here, and only root can lower it to -1000"\n$/,
      ]
        .map(({ source }) => source)
        .join(''),
    ),
  },
];
