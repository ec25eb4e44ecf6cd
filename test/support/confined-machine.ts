import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { projectRoot } from './cache-folder.js';
import { configTemplate, SERVICE_TEMPLATE } from './exports-image.js';
import { runOk } from './run-command.js';
import { TempDir } from './temp-dir.js';
import { writeLayout } from './write-layout.js';

/** What a machine needs to keep programs in their place by AppArmor and by SELinux. */
export const CONFINEMENT_PACKAGES = ['apparmor', 'checkpolicy', 'busybox-static'];

/** What a program under this profile may not do is read one file; all else it may. */
const APPARMOR_PROFILE = `
abi <abi/4.0>,
profile berth-test flags=(attach_disconnected,mediate_deleted) {
  file,
  capability,
  network,
  mount,
  umount,
  pivot_root,
  signal,
  ptrace,
  unix,
  deny /secret r,
}
`;

/** Names of flask's initial_sids, in the order of their numbers. */
const INITIAL_SIDS = [
  ...['kernel', 'security', 'unlabeled', 'fs', 'file', 'file_labels', 'init', 'any_socket'],
  ...['port', 'netif', 'netmsg', 'node', 'igmp_packet', 'icmp_socket', 'tcp_socket'],
  ...['sysctl_modprobe', 'sysctl', 'sysctl_fs', 'sysctl_kernel', 'sysctl_net', 'sysctl_net_unix'],
  ...['sysctl_vm', 'sysctl_dev', 'kmod', 'policy', 'scmp_packet', 'devnull'],
];

/** The newest format that trixie's kernel reads. */
const SELINUX_POLICY_VERSION = '33';

/**
 * The smallest policy that a kernel takes: names for what is there before it, and labels for a container. What the kernel
 * knows and the policy does not is allowed, and of what it denies the machine only tells.
 */
const SELINUX_POLICY = `
class process
class file
class filesystem
${INITIAL_SIDS.map((name) => `sid ${name}`).join('\n')}
class process { transition setexec dyntransition }
class file { read write execute entrypoint }
class filesystem { associate mount relabelfrom relabelto }
policycap nnp_nosuid_transition;
type base_t;
type confined_t;
type confined_file_t;
role base_r;
role base_r types { base_t confined_t };
allow base_t self : process { transition setexec };
user base_u roles { base_r };
${INITIAL_SIDS.map((name) => `sid ${name} base_u:base_r:base_t`).join('\n')}
fs_use_xattr ext4 base_u:object_r:base_t;
fs_use_trans tmpfs base_u:object_r:base_t;
`;

/** Words for the kernel by which a machine has SELinux in the place of AppArmor. */
export const WITH_SELINUX = 'security=selinux selinux=1 enforcing=0';

/** A service whose config.json asks for the profile. */
export const CONFINED_SERVICE = 'kept-in';

/** Puts the profile, the policy, and a service that is to be confined into the tree of a machine. */
export async function prepareConfinement(tree: string): Promise<void> {
  const write = (path: string, text: string): void => {
    mkdirSync(join(tree, path, '..'), { recursive: true });
    writeFileSync(join(tree, path), text);
  };
  write('root/berth-test.profile', APPARMOR_PROFILE);
  write('root/policy.conf', SELINUX_POLICY);
  await runOk([
    ...['chroot', tree, 'checkpolicy', '-U', 'allow', '-c', SELINUX_POLICY_VERSION],
    ...['-o', '/root/policy', '/root/policy.conf'],
  ]);
  // It would compile a hundred profiles in emulation.
  await runOk(['ln', '-sf', '/dev/null', join(tree, 'etc/systemd/system/apparmor.service')]);
  using layout = new TempDir();
  const config = configTemplate({
    process: {
      user: { uid: 0, gid: 0 },
      args: ['/bin/busybox', 'sleep', '1000'],
      cwd: '/',
      apparmorProfile: 'berth-test',
    },
  });
  const reference = writeLayout(`${layout.path}/${CONFINED_SERVICE}`, {
    layers: [
      [
        {
          path: 'bin/busybox',
          mode: 0o755,
          content: readFileSync(join(tree, 'usr/bin/busybox')),
        },
        { path: 'proc/' },
        { path: 'exports/' },
        { path: 'exports/service.template', content: SERVICE_TEMPLATE },
        { path: 'exports/config.json.template', content: config },
      ],
    ],
  });
  const program = join(projectRoot, 'dist/bin/berth.cjs');
  await runOk([process.execPath, program, '--root', tree, 'install', '--system', reference]);
}

/** A copy of the bundle in /root/bundle with members of its process and of what is Linux's, which runs as `kept`. */
const BUNDLE = `
  edit() { rm -rf /root/kept; mkdir /root/kept; sed "s#\\"process\\":{#\\"process\\":{$1,#; s#\\"linux\\":{#\\"linux\\":{$2#" /root/bundle/config.json >/root/kept/config.json; }
  run() { berth-runtime run --bundle /root/kept --detach --pid-file /root/kept/pid kept >/root/kept/out 2>&1 </dev/null; }
  label() { tr -d '\\0' <"/proc/$1/attr/current"; echo; }`;

/** What a machine with AppArmor says: the default of Debian's kernel. */
export const apparmorRow = {
  script: `${BUNDLE}
    systemctl show --property=ExecMainStatus ${CONFINED_SERVICE}
    edit '"apparmorProfile":"berth-test"'; run; echo "status $?"; grep -o 'attr/apparmor/exec.*' /root/kept/out; ls /run/berth-runtime
    apparmor_parser --replace --skip-cache /root/berth-test.profile
    echo open >/root/bundle/rootfs/secret
    run; echo "status $?"; label "$(cat /root/kept/pid)"
    berth-runtime exec kept sh -c 'cat /proc/self/attr/current; cat /etc/passwd >/dev/null && echo read; cat /secret || echo denied' 2>/dev/null
    berth-runtime delete --force kept
    systemctl start ${CONFINED_SERVICE}
    main=$(systemctl show --value --property=MainPID ${CONFINED_SERVICE})
    its() { label "$(tr -d ' ' <"/proc/$main/task/$main/children")"; }
    for try in $(seq 100); do its 2>/dev/null | grep -q berth-test && break; sleep 0.1; done; its`,
  says: [
    'ExecMainStatus=229\n',
    'status 1\nattr/apparmor/exec\': No such file or directory"\n',
    'status 0\nberth-test (enforce)\n\n',
    'berth-test (enforce)\nread\ndenied\n',
    'berth-test (enforce)\n\n',
  ].join(''),
};

/** What a machine with SELinux says. */
export const selinuxRow = {
  script: `${BUNDLE}
    mountpoint --quiet /sys/fs/selinux || mount -t selinuxfs selinuxfs /sys/fs/selinux
    cat /root/policy >/sys/fs/selinux/load
    mounts='"mountLabel":"base_u:object_r:confined_file_t",'
    edit '"selinuxLabel":"base_u:base_r:no_such_t"' "$mounts"; run; echo "status $?"; grep -o 'attr/exec.*' /root/kept/out
    edit '"selinuxLabel":"base_u:base_r:confined_t"' "$mounts"; run; echo "status $?"; label "$(cat /root/kept/pid)"
    berth-runtime exec kept sh -c 'cat /proc/self/attr/current; echo; grep -o " /dev/shm tmpfs .*context=[a-z_:]*" /proc/mounts | grep -o context=.*' | tr -d '\\0'
    berth-runtime delete --force kept`,
  says: [
    'status 1\nattr/exec\': Invalid argument"\n',
    'status 0\nbase_u:base_r:confined_t\n',
    'base_u:base_r:confined_t\ncontext=base_u:object_r:confined_file_t\n',
  ].join(''),
};
