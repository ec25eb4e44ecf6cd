import { normalize } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';

/**
 * Places where a new file gives root, or the login of somebody, to whoever chose its content; where berth or the
 * service manager keeps its own; and what is no place for files at all. An image gets nothing there unless the
 * administrator names the path with `--allow-host-path`. A folder stands for everything below it.
 */
// prettier-ignore
const GUARDED: readonly { readonly path: string; readonly why: string }[] = [
  ...guard('decides who may log in or become root', [
    '/etc/passwd', '/etc/passwd-', '/etc/shadow', '/etc/shadow-', '/etc/group', '/etc/gshadow', '/etc/subuid',
    '/etc/subgid', '/etc/sudoers', '/etc/sudoers.d', '/etc/doas.conf', '/etc/pam.conf', '/etc/pam.d', '/etc/security',
    '/etc/login.defs', '/etc/nologin', '/run/nologin', '/etc/securetty', '/etc/nsswitch.conf', '/etc/polkit-1', '/etc/ssh', '/etc/krb5.conf',
    '/etc/krb5.keytab', '/etc/selinux', '/etc/apparmor', '/etc/apparmor.d', '/usr/share/polkit-1',
  ]),
  ...guard('is loaded or run by programs of root', [
    '/etc/ld.so.preload', '/etc/ld.so.conf', '/etc/ld.so.conf.d', '/etc/ld.so.cache', '/etc/profile',
    '/etc/profile.d', '/etc/bash.bashrc', '/etc/bashrc', '/etc/environment', '/etc/environment.d', '/etc/zsh',
    '/etc/crontab', '/etc/anacrontab', '/etc/cron.d', '/etc/cron.hourly', '/etc/cron.daily', '/etc/cron.weekly',
    '/etc/cron.monthly', '/var/spool', '/etc/init.d', '/etc/rc.local', '/etc/rc.d', '/etc/inittab', '/etc/udev',
    '/etc/modprobe.d', '/etc/modules', '/etc/modules-load.d', '/etc/kernel', '/etc/initramfs-tools', '/etc/dracut.conf.d',
    '/etc/default/grub', '/etc/default/grub.d', '/etc/grub.d', '/etc/sysctl.conf', '/etc/sysctl.d', '/etc/binfmt.d',
    '/etc/logrotate.d', '/etc/logrotate.conf', '/etc/dbus-1', '/etc/xdg', '/etc/X11', '/etc/NetworkManager',
    '/etc/network', '/etc/dhcp', '/etc/ppp', '/etc/apt', '/etc/dpkg', '/etc/yum', '/etc/yum.conf', '/etc/yum.repos.d',
    '/etc/dnf', '/etc/rpm', '/etc/fstab', '/etc/crypttab', '/etc/mtab', '/etc/exports', '/etc/update-motd.d',
    '/etc/skel', '/etc/inetd.conf', '/etc/xinetd.d', '/etc/ca-certificates', '/etc/ssl', '/etc/pki', '/etc/gshadow-',
    '/etc/alternatives', '/etc/opt', '/etc/cloud', '/etc/needrestart', '/etc/bash_completion.d', '/usr/share/dbus-1',
    '/etc/docker/daemon.json', '/etc/nftables.conf', '/etc/nftables', '/etc/iptables', '/etc/firewalld',
  ]),
  ...guard('belongs to the service manager', [
    '/etc/systemd', '/etc/tmpfiles.d', '/etc/sysusers.d', '/etc/machine-id', '/etc/hostname', '/etc/hosts',
    '/etc/resolv.conf', '/etc/localtime', '/etc/os-release', '/run/systemd', '/run/dbus', '/run/udev', '/var/lib/systemd',
    '/var/lib/dbus', '/etc/repart.d', '/etc/portables', '/var/lib/portables', '/var/lib/machines', '/var/lib/confexts',
    '/var/lib/extensions', '/etc/credstore', '/etc/credstore.encrypted', '/etc/extensions', '/run/extensions', '/run/confexts',
  ]),
  ...guard('belongs to berth', [
    '/etc/berth', '/var/lib/berth', '/run/berth', '/usr/libexec/berth', '/etc/containers', '/etc/atomic.d',
  ]),
  ...guard('belongs to the package manager of the host', ['/var/lib/dpkg', '/var/lib/rpm', '/var/lib/apt', '/var/cache']),
  ...guard('is the program directory of the host', [
    '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/usr/bin', '/usr/sbin', '/usr/lib', '/usr/lib32',
    '/usr/lib64', '/usr/libexec', '/usr/include', '/usr/src', '/usr/local/lib', '/usr/local/lib64', '/usr/games',
    '/usr/local/etc', '/usr/local/sbin',
  ]),
  ...guard('is not a place for files of an image', [
    '/boot', '/efi', '/dev', '/proc', '/sys', '/root', '/home', '/tmp', '/var/tmp', '/media', '/mnt', '/lost+found',
    '/sysroot', '/ostree',
  ]),
];

/** Whether a path may be written for an image; carries the administrator's exceptions. */
export interface HostPathPolicy {
  /** Absolute, normalised; each allows itself and what is below it. */
  readonly allowed: readonly string[];
  /** The home of a user and the user's directories, wherever they are. */
  readonly guarded?: readonly string[];
}

/**
 * Checks a path that an image wants on the host: absolute, normalised, no control characters, and not in a guarded
 * place that the policy does not allow.
 *
 * @throws {@link OperationalError} HOST_PATH_REFUSED
 */
export function assertHostPathAllowed(path: string, policy: HostPathPolicy): void {
  if (!path.startsWith('/') || path === '/' || /[\u0000-\u001f\u007f]/.test(path)) {
    throw refusal(path, 'it is not an absolute path of a file');
  }
  if (normalize(path) !== path || path.endsWith('/')) {
    throw refusal(path, "it has '.', '..' or empty parts");
  }
  const guarded = findGuard(path, policy);
  if (guarded !== undefined) {
    throw refusal(
      path,
      `${guarded.path} ${guarded.why}`,
      `allow it with '--allow-host-path ${path}'`,
    );
  }
}

/** The guarded place that a path is in, and why it is guarded; undefined where it is in none, or allowed. */
export function findGuard(
  path: string,
  policy: HostPathPolicy,
): (typeof GUARDED)[number] | undefined {
  if (policy.allowed.some((allowed) => covers(allowed, path))) return undefined;
  return (
    GUARDED.find((entry) => covers(entry.path, path)) ?? guardedFolder(policy.guarded ?? [], path)
  );
}

/** `.bashrc`, `.ssh`, `.config/autostart`, `/run/user/1000/systemd/user` and their like. */
function guardedFolder(
  guarded: readonly string[],
  path: string,
): (typeof GUARDED)[number] | undefined {
  const found = guarded.find((folder) => covers(folder, path));
  if (found === undefined) return undefined;
  return { path: found, why: 'has what programs of its user read and run' };
}

/** Whether `path` is `folder` or lies below it. */
export function covers(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

function guard(why: string, paths: readonly string[]): { path: string; why: string }[] {
  return paths.map((path) => ({ path, why }));
}

function refusal(path: string, why: string, hint?: string): OperationalError {
  return new OperationalError(
    'HOST_PATH_REFUSED',
    `the image wants ${quote(path)} on the host, refusing: ${why}`,
    { hint },
  );
}
