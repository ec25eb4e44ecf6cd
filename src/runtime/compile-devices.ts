import { OperationalError } from '../errors/operational-error.js';
import type { RuntimeDevice } from '../oci/runtime-config.js';
import { normaliseInRoot } from './compile-mounts.js';
import { PROPAGATION } from './mount-options.js';
import type { Instruction } from './plan-format.js';

const S_IFMT: Readonly<Record<RuntimeDevice['type'], number>> = {
  c: 0o020000,
  b: 0o060000,
  p: 0o010000,
};

const S_IFLNK = 0o120000;

const device = (path: string, major: number, minor: number): RuntimeDevice => ({
  type: 'c',
  path,
  major,
  minor,
  fileMode: 0o666,
  uid: 0,
  gid: 0,
});

/** config-linux.md, "Default Devices". */
export const DEFAULT_DEVICES: readonly RuntimeDevice[] = (
  [
    ['/dev/null', 1, 3],
    ['/dev/zero', 1, 5],
    ['/dev/full', 1, 7],
    ['/dev/random', 1, 8],
    ['/dev/urandom', 1, 9],
    ['/dev/tty', 5, 0],
  ] as const
).map(([path, major, minor]) => device(path, major, minor));

function isDefault({ type, path, major, minor }: RuntimeDevice): boolean {
  return DEFAULT_DEVICES.some(
    (known) =>
      known.type === type && known.path === path && known.major === major && known.minor === minor,
  );
}

/** config-linux.md, "Default Devices", and runtime-linux.md, "Dev symbolic links". */
const DEFAULT_LINKS = [
  ['pts/ptmx', '/dev/ptmx'],
  ['/proc/self/fd', '/dev/fd'],
  ['/proc/self/fd/0', '/dev/stdin'],
  ['/proc/self/fd/1', '/dev/stdout'],
  ['/proc/self/fd/2', '/dev/stderr'],
  ['/proc/kcore', '/dev/core'],
] as const;

/** The device nodes and links for a /dev of the container's own; those of the config.json win over the default ones. */
export function compileDevices(
  devices: readonly RuntimeDevice[],
  options: {
    readonly userNamespace: boolean;
    /** The one id that there is in the user namespace; else the document's are taken. */
    readonly owner?: { readonly uid: number; readonly gid: number };
  },
): { readonly instructions: readonly Instruction[]; readonly paths: readonly string[] } {
  const byPath = new Map<string, RuntimeDevice>();
  for (const entry of [...DEFAULT_DEVICES, ...devices]) {
    const path = normaliseInRoot(entry.path, 'linux.devices');
    byPath.set(path, { ...entry, path });
  }
  const nodes = [...byPath.values()].flatMap((entry): readonly Instruction[] => {
    const mode = entry.fileMode ?? 0o666;
    if ((mode & ~0o7777) !== 0 && (mode & 0o170000) !== S_IFMT[entry.type]) {
      throw new OperationalError(
        'RUNTIME_CONFIG_INVALID',
        `linux.devices: the mode of ${entry.path} is that of something else`,
      );
    }
    // Device nodes cannot be made in a user namespace, so the host's own is bound.
    if (options.userNamespace && entry.type !== 'p') {
      return [
        ['BIND', entry.path, entry.path, 0, 0, 0, 0, 0, PROPAGATION['private'] ?? 0],
        // Of these nobody chose the path; and launchers that were placed before there was this instruction go on with them.
        ...(isDefault(entry)
          ? []
          : [['BOUND_NODE', S_IFMT[entry.type], entry.major, entry.minor] as const]),
      ];
    }
    return [
      [
        'NODE',
        entry.path,
        S_IFMT[entry.type] | (mode & 0o7777),
        // A FIFO has no numbers, whatever the document says (config-linux.md, "Devices").
        ...(entry.type === 'p' ? ([0, 0] as const) : ([entry.major, entry.minor] as const)),
        options.owner?.uid ?? entry.uid,
        options.owner?.gid ?? entry.gid,
        '',
      ],
    ];
  });
  const links = DEFAULT_LINKS.map(([target, path]): Instruction => [
    'NODE',
    path,
    S_IFLNK,
    0,
    0,
    options.owner?.uid ?? 0,
    options.owner?.gid ?? 0,
    target,
  ]);
  return { instructions: [...nodes, ...links], paths: [...byPath.keys()] };
}
