import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { configTemplate } from './exports-image.js';

/** What {@link writeForerunner} installs. */
export interface ForerunnerSketch {
  readonly name: string;
  readonly image: string;
  /** Where it ran before: a second deployment with a number of its own. */
  readonly number?: 0 | 1;
  readonly values?: Readonly<Record<string, string>>;
  /** Text of the unit, as atomic rendered it; `DIR` stands for the deployment's directory. */
  readonly unit?: string;
  readonly tmpfiles?: string;
  /** What its container may do: as much as images that tests push, unless given. */
  readonly config?: string;
  /** Files that it brought for the host, by path. */
  readonly hostFiles?: Readonly<Record<string, string>>;
  /** Members of `info` instead of those that atomic writes. */
  readonly info?: Readonly<Record<string, unknown>>;
}

/** The digest that {@link writeForerunner} notes of every image. */
export const FORERUNNER_REVISION = 'd'.repeat(64);

/**
 * Leaves in a tree what atomic 1.22 leaves when it installs a system container (`_do_checkout` and `_write_info_file` of
 * Atomic/syscontainers.py): checkout, config.json, info, the unit and the tmpfiles lines with a copy of each, the link.
 * Gives the deployment's directory as the host sees it.
 */
export function writeForerunner(root: string, sketch: ForerunnerSketch): string {
  const { name, number = 0, hostFiles = {} } = sketch;
  const directory = `/var/lib/containers/atomic/${name}.${number}`;
  const at = join(root, directory);
  rmSync(at, { recursive: true, force: true });
  mkdirSync(join(at, 'rootfs/exports'), { recursive: true, mode: 0o755 });
  writeFileSync(join(at, 'config.json'), sketch.config ?? configTemplate());
  const checksums: Record<string, string> = {};
  for (const [path, content] of Object.entries(hostFiles)) {
    for (const target of [join(root, path), join(at, 'rootfs/exports/hostfs', path)]) {
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, content);
    }
    checksums[path] = createHash('sha256').update(content).digest('hex');
  }
  const info = {
    image: sketch.image,
    revision: FORERUNNER_REVISION,
    'ostree-commit': 'e'.repeat(64),
    created: 1_535_000_000,
    values: {
      RUN_DIRECTORY: '/run',
      PIDFILE: `/run/container-${name}.pid`,
      CONF_DIRECTORY: '/etc',
      STATE_DIRECTORY: '/var/lib',
      ALL_PROCESS_CAPABILITIES: '"CAP_CHOWN",\n"CAP_KILL"\n',
      RUNTIME: '/bin/runc',
      ATOMIC: '/usr/bin/atomic',
      UUID: '7c2b24a5-6d5f-4a36-8c1d-5a5cbbdca7cf',
      DESTDIR: directory,
      NAME: name,
      EXEC_START: `/bin/runc --systemd-cgroup run '${name}'`,
      EXEC_STOP: `/bin/runc --systemd-cgroup kill '${name}'`,
      EXEC_STARTPRE: '',
      EXEC_STOPPOST: '',
      HOST_UID: 0,
      HOST_GID: 0,
      IMAGE_NAME: sketch.image,
      IMAGE_ID: FORERUNNER_REVISION,
      ...sketch.values,
    },
    'has-container-service': true,
    'installed-files': checksums,
    'installed-files-checksum': checksums,
    'installed-files-template': [],
    'rename-installed-files': {},
    'rpm-installed': null,
    'system-package': 'no',
    remote: null,
    'use-links': true,
    runtime: '/bin/runc',
    ...sketch.info,
  };
  writeFileSync(join(at, 'info'), `${JSON.stringify(info, null, 4)}\n`);
  const unit = (sketch.unit ?? DEFAULT_UNIT).replaceAll('DIR', directory);
  const texts = {
    [`etc/systemd/system/${name}.service`]: [`${name}.service`, unit],
    [`etc/tmpfiles.d/${name}.conf`]: [`tmpfiles-${name}.conf`, sketch.tmpfiles],
  } as const;
  for (const [path, [copy, text]] of Object.entries(texts)) {
    if (text === undefined) continue;
    for (const target of [join(root, path), join(at, copy)]) {
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, text);
      chmodSync(target, 0o644);
    }
  }
  const link = join(root, `/var/lib/containers/atomic/${name}`);
  rmSync(link, { force: true });
  symlinkSync(directory, link);
  return directory;
}

const DEFAULT_UNIT = `[Unit]
Description=Old container

[Service]
ExecStart=/bin/runc --systemd-cgroup run 'old'
WorkingDirectory=DIR

[Install]
WantedBy=multi-user.target
`;
