/** Statuses that the compiler puts into plans. */
export const LauncherStatus = { limits: 205, label: 229, sysctl: 248 } as const;

/** A status that the launcher itself ends with. */
export interface LauncherStatusRow {
  readonly status: number;
  readonly name: string;
  readonly meaning: string;
}

/**
 * The launcher's own exit statuses: a container's program never ran, or could not be watched. Below 244 they are
 * systemd's own numbers for the same failure, so `systemctl status` shows the right name for them.
 */
export const LAUNCHER_STATUSES: readonly LauncherStatusRow[] = [
  { status: 200, name: 'CHDIR', meaning: 'the working directory cannot be entered' },
  { status: 203, name: 'EXEC', meaning: 'the program cannot be run' },
  { status: 205, name: 'LIMITS', meaning: 'a resource limit cannot be set' },
  { status: 207, name: 'SIGNAL_MASK', meaning: 'signals cannot be waited for' },
  { status: 217, name: 'USER', meaning: 'the user or groups cannot be taken' },
  { status: 218, name: 'CAPABILITIES', meaning: 'capabilities cannot be set' },
  { status: 226, name: 'NAMESPACE', meaning: 'a namespace cannot be made, joined or set up' },
  { status: 227, name: 'NO_NEW_PRIVILEGES', meaning: 'new privileges cannot be forbidden' },
  { status: 228, name: 'SECCOMP', meaning: 'the system call filter cannot be loaded' },
  { status: 229, name: 'SELINUX_CONTEXT', meaning: 'a SELinux or AppArmor label cannot be set' },
  { status: 243, name: 'CREDENTIALS', meaning: 'credentials cannot be copied' },
  {
    status: 245,
    name: 'PLAN',
    meaning: "the launch plan is missing, damaged, or not root's or the user's alone",
  },
  { status: 246, name: 'MOUNT', meaning: 'a mount or the root cannot be made' },
  { status: 247, name: 'DEVICE', meaning: 'a device node or link cannot be made' },
  { status: 248, name: 'SYSCTL', meaning: 'a kernel parameter cannot be set' },
  { status: 249, name: 'NOTIFY', meaning: 'the notification socket cannot be made or reached' },
  { status: 250, name: 'PIDFILE', meaning: 'the pid file cannot be written' },
  { status: 251, name: 'SYSTEM', meaning: 'the kernel refused something else' },
  { status: 252, name: 'FORBIDDEN', meaning: 'users may make no user namespaces on this host' },
];
