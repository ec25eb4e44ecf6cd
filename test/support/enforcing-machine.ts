import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { projectRoot } from './cache-folder.js';
import { configTemplate, SERVICE_TEMPLATE } from './exports-image.js';
import { putProgramInto } from './machine-berth.js';
import { runOk } from './run-command.js';
import type { TarItem } from './tar-builder.js';
import { writeLayout } from './write-layout.js';

/*
 * A machine whose kernel enforces Debian's policy from its first process on: its tree is labelled from outside, as image
 * builders do it, and the agent has the domain of an administrator who has logged in.
 */

/** What a machine needs to enforce Debian's policy. */
export const ENFORCING_PACKAGES = [
  ...['selinux-policy-default', 'policycoreutils', 'selinux-utils', 'busybox-static'],
];

/** Words for the kernel by which it enforces. */
export const ENFORCING = 'security=selinux selinux=1 enforcing=1';

const POLICY = '/etc/selinux/default';

/** Debian's policy forbids it to all; nothing that compiles while it runs, as Node does, begins without it. */
const BOOLEANS = 'allow_execmem=1\n';

const AGENT = '[Service]\nSELinuxContext=unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023\n';

/** Puts the program, the policy with berth's module, and labels into the tree of a machine. */
export async function prepareEnforcing(tree: string): Promise<void> {
  await putProgramInto(tree);
  const write = (path: string, text: string | Uint8Array): void => {
    mkdirSync(join(tree, path, '..'), { recursive: true });
    writeFileSync(join(tree, path), text);
  };
  write('etc/selinux/config', 'SELINUX=enforcing\nSELINUXTYPE=default\n');
  write('etc/systemd/system/test-agent.service.d/domain.conf', AGENT);
  write('root/berth.cil', readFileSync(join(projectRoot, 'packaging/selinux/berth.cil')));
  appendFileSync(join(tree, 'var/lib/selinux/default/active/booleans.local'), BOOLEANS);
  await runOk(['chroot', tree, 'semodule', '--noreload', '--install', '/root/berth.cil'], {
    timeoutMs: 120_000,
  });
  await runOk(['chroot', tree, 'setfiles', '-F', `${POLICY}/contexts/files/file_contexts`, '/']);
}

/** What of an image differs from others. */
export interface ServedImage {
  readonly port: number;
  /** Of its only page; part of its folder's name. */
  readonly page: string;
  /** A script that runs before the page is served. */
  readonly before?: string;
  readonly process?: Readonly<Record<string, unknown>>;
  readonly linux?: Readonly<Record<string, unknown>>;
  readonly mounts?: readonly unknown[];
  readonly entries?: readonly TarItem[];
}

const NAMESPACES = [{ type: 'pid' }, { type: 'ipc' }, { type: 'mount' }];

/** Writes an image of a system container that serves a page, into a folder of the tree; gives how to name it there. */
export function writeServer(tree: string, image: ServedImage): string {
  const { port, page, before = ':' } = image;
  const command = `${before}; exec busybox httpd -f -p ${port} -h /srv`;
  const config = configTemplate({
    process: {
      user: { uid: 0, gid: 0 },
      args: ['/bin/sh', '-c', command],
      env: ['PATH=/bin'],
      cwd: '/',
      ...image.process,
    },
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }, ...(image.mounts ?? [])],
    linux: { namespaces: NAMESPACES, ...image.linux },
  });
  const folder = `/root/images/${page}`;
  writeLayout(join(tree, folder), {
    layers: [
      [
        {
          path: 'bin/busybox',
          mode: 0o755,
          content: readFileSync(join(tree, 'usr/bin/busybox')),
        },
        { path: 'bin/sh', type: 'symlink', link: 'busybox' },
        { path: 'bin/cat', type: 'symlink', link: 'busybox' },
        { path: 'proc/' },
        { path: 'srv/index.html', content: `${page}\n` },
        { path: 'exports/service.template', content: SERVICE_TEMPLATE },
        { path: 'exports/config.json.template', content: config },
        ...(image.entries ?? []),
      ],
    ],
  });
  return `oci:${folder}:image`;
}

/** Installs an image of the tree into it, from outside. */
export async function installInto(tree: string, name: string, reference: string): Promise<void> {
  await runOk([
    ...[process.execPath, join(projectRoot, 'dist/bin/berth.cjs'), '--root', tree, 'install'],
    ...['--system', '--name', name, reference.replace('oci:', `oci:${tree}`)],
  ]);
}
