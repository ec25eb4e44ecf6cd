import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { MASKED_PATHS, READ_ONLY_PATHS, SYSTEM_MOUNTS, USUAL_PATH } from '../oci/usual-config.js';
import type { RuntimeCommand } from './runtime-command.js';

const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'];

/** A config.json that runs a shell, to begin with. */
const DOCUMENT = {
  ociVersion: '1.2.0',
  process: {
    terminal: true,
    user: { uid: 0, gid: 0 },
    args: ['sh'],
    env: [USUAL_PATH, 'TERM=xterm'],
    cwd: '/',
    capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
    rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
    noNewPrivileges: true,
  },
  root: { path: 'rootfs', readonly: true },
  hostname: 'berth',
  mounts: SYSTEM_MOUNTS,
  linux: {
    resources: { devices: [{ allow: false, access: 'rwm' }] },
    namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
    maskedPaths: MASKED_PATHS,
    readonlyPaths: READ_ONLY_PATHS,
  },
};

/** `spec`. */
export const spec: RuntimeCommand = {
  options: { bundle: 'value', rootless: 'flag' },
  aliases: { b: 'bundle' },
  run(context, args) {
    const path = join(resolve(context.cwd, args.value('bundle') ?? '.'), 'config.json');
    if (existsSync(path)) {
      throw new OperationalError('CONTAINER_EXISTS', `file ${quote(path)} exists. Remove it first`);
    }
    const document = args.has('rootless') ? rootless(process.getuid?.() ?? 0) : DOCUMENT;
    writeFileSync(path, `${JSON.stringify(document, undefined, '\t')}\n`, {
      mode: 0o666,
      flag: 'wx',
    });
    return 0;
  },
};

/** For a caller who is not root: he is root inside, the network is the host's, and there are no groups to set limits on. */
function rootless(id: number): object {
  return {
    ...DOCUMENT,
    // A group of the host's for terminals (gid=5) has no place in a namespace of one id.
    mounts: DOCUMENT.mounts.map((mount) => ({
      ...mount,
      options: mount.options.filter((option) => !/^[ug]id=/.test(option)),
    })),
    linux: {
      ...DOCUMENT.linux,
      resources: undefined,
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'cgroup', 'user'].map((type) => ({ type })),
      uidMappings: [{ containerID: 0, hostID: id, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: process.getgid?.() ?? 0, size: 1 }],
    },
  };
}
