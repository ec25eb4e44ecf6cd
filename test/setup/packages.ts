import { runCommand, runOk } from '../support/run-command.js';

/** Debian packages that the tests use, beside what every Debian machine with Node has. */
export const testPackages = [
  'apache2-utils', // htpasswd, for a registry with passwords
  'attr', // getfattr, for whole-tree comparisons
  'busybox-static', // the programs in containers of the conformance suite
  'bzip2', // packs archives that berth has to refuse
  'btrfs-progs', // a file system that power cuts are tried on
  'curl',
  'dbus-daemon', // a bus for a service manager that misbehaves
  'buildah', // writes archives that berth reads
  'docker.io', // dockerd, for docker-daemon:
  'docker-registry',
  'e2fsprogs',
  'gcc', // the launcher, and small programs in test images
  'gpg', // signs commits
  'gpg-agent',
  'gpgv', // verifies the signatures of images
  'iproute2',
  'kmod', // depmod, for a whole machine's kernel
  'libc6-dev',
  'libseccomp2',
  'mmdebstrap',
  'mount',
  'musl-tools', // the launcher's C library
  'podman', // writes archives that berth reads, and reads those that berth writes
  'libostree-1-1', // the library of the OSTree adapter
  'ostree', // the other side of what it writes and reads
  'openssl', // certificates of a registry behind TLS
  'sqlite3', // writes what rpm writes, damaged and open
  'strace', // kills berth at a chosen call
  'systemd', // systemd-analyze verify, as a second opinion on rendered units
  'systemd-container',
  'skopeo', // writes and reads what berth reads and writes
  'rpm', // writes databases of packages that berth reads
  'runc', // a peer of the launcher in the benchmark
  'umoci', // writes layouts that berth reads
  'libisal2', // inflates
  'lowdown', // writes the pages of the manual for berth's own package
  'xfsprogs', // as btrfs-progs
  'xz-utils',
  'zstd', // makes zstd data
] as const;

/** The packages of a list that are not installed. */
export async function missingPackages(names: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await runCommand([
    'dpkg-query',
    '--show',
    '--showformat=${db:Status-Status} ${Package}\n',
    ...names,
  ]);
  const installed = new Set(
    stdout
      .split('\n')
      .filter((line) => line.startsWith('installed '))
      .map((line) => line.slice('installed '.length)),
  );
  return names.filter((name) => !installed.has(name));
}

/** Installs packages with apt from wherever the machine's apt takes them; nothing else is upgraded or asked. */
export async function installPackages(names: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const timeoutMs = 600_000;
  await runOk(['apt-get', 'update', '--quiet=2'], { env, timeoutMs });
  await runOk(
    [
      'apt-get',
      'install',
      '--quiet=2',
      '--yes',
      '--no-install-recommends',
      '-o',
      'DPkg::Lock::Timeout=300',
      ...names,
    ],
    { env, timeoutMs },
  );
  const missing = await missingPackages(names);
  if (missing.length > 0) throw new Error(`apt did not install ${missing.join(' ')}`);
}
