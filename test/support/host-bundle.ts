import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { SYSTEM_MOUNTS } from '../../src/oci/usual-config.js';
import { projectRoot } from './cache-folder.js';
import { TempDir } from './temp-dir.js';

/** What a call of the command line left behind. */
interface Called {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A bundle whose programs are the host's own, read-only, for hosts that have nothing else; and `berth-runtime` on it. */
export class HostBundle implements Disposable {
  readonly #directory = new TempDir('/var/tmp');
  readonly #options: readonly string[];
  readonly id = `bundle-${randomBytes(5).toString('hex')}`;

  constructor(...options: readonly string[]) {
    this.#options = options;
    for (const folder of ['usr', 'proc', 'dev', 'sys'])
      mkdirSync(join(this.#rootfs, folder), { recursive: true });
    for (const link of ['bin', 'lib', 'lib64', 'sbin'])
      symlinkSync(`usr/${link}`, join(this.#rootfs, link));
  }

  get #rootfs(): string {
    return join(this.#directory.path, 'rootfs');
  }

  configure(args: readonly string[], linux: object): void {
    const document = {
      ociVersion: '1.2.0',
      process: { user: { uid: 0, gid: 0 }, args, env: ['PATH=/usr/bin:/usr/sbin'], cwd: '/' },
      root: { path: 'rootfs', readonly: true },
      mounts: [...SYSTEM_MOUNTS, { destination: '/usr', source: '/usr', options: ['rbind', 'ro'] }],
      linux: { namespaces: ['pid', 'ipc', 'mount', 'cgroup'].map((type) => ({ type })), ...linux },
    };
    writeFileSync(join(this.#directory.path, 'config.json'), JSON.stringify(document));
  }

  call(verb: string, ...words: readonly string[]): Called {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [
        join(projectRoot, 'dist/bin/berth-runtime.cjs'),
        ...this.#options,
        ...['--root', join(this.#directory.path, 'state'), verb, ...words],
      ],
      // What a container keeps of these has no end that is waited for.
      { encoding: 'utf8', stdio: verb === 'create' ? 'ignore' : 'pipe', timeout: 60_000 },
    );
    return { status, stdout, stderr };
  }

  create(): Called {
    return this.call('create', '--bundle', this.#directory.path, this.id);
  }

  [Symbol.dispose](): void {
    this.call('delete', '--force', this.id);
    this.#directory[Symbol.dispose]();
  }
}
