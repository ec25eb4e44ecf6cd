import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { ownProgram } from '../../src/base/own-files.js';
import { runMeasured, type Usage } from '../support/run-measured.js';
import type { Contender } from './measure.js';
import { mustRun } from './must-run.js';

/** berth's own program. */
export const BERTH_PROGRAM = ownProgram();

/** The one folder that importctl puts machines into. */
const MACHINES = '/var/lib/machines';

/**
 * Who pulls, each into a folder of its own of `parent` in every round, from nothing. `reference` names the image in a registry on
 * loopback.
 */
export class PullContenders {
  readonly #parent: string;
  readonly #reference: string;
  readonly #policy: string;

  constructor(parent: string, reference: string) {
    this.#parent = parent;
    this.#reference = reference;
    this.#policy = join(parent, 'policy.json');
    writeFileSync(this.#policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  }

  /** berth, into a tree that is not running: everything is verified, stored by content, durable and checked out. */
  berth(): Contender {
    return {
      what: 'berth install: verified, by content, durable',
      ...this.#folders('berth'),
      run: async (round, record) => {
        record(await installWithBerth(this.#place('berth', round), 'bench', this.#reference));
      },
    };
  }

  /** skopeo into a layout, and umoci from there. */
  umoci(): Contender {
    return {
      what: 'skopeo copy + umoci unpack',
      ...this.#folders('umoci'),
      run: async (round) => {
        const layout = `${this.#place('umoci', round)}/layout:bench`;
        const how = ['--policy', this.#policy, 'copy', '--quiet', '--src-tls-verify=false'];
        await runMeasured('skopeo', [...how, `docker://${this.#reference}`, `oci:${layout}`]);
        const bundle = `${this.#place('umoci', round)}/bundle`;
        await runMeasured('umoci', ['unpack', '--image', layout, bundle]);
      },
    };
  }

  /** podman, which mounts its layers and does not check out. */
  podman(): Contender {
    const version = execFileSync('podman', ['--version'], { encoding: 'utf8' }).trim().split(' ');
    return {
      what: `podman ${version.at(-1) ?? ''} pull (overlay, no checkout)`,
      ...this.#folders('podman'),
      run: async (round, record) => {
        const at = this.#place('podman', round);
        const where = ['--root', `${at}/root`, '--runroot', `${at}/run`];
        const how = ['pull', '--quiet', '--tls-verify=false', '--signature-policy', this.#policy];
        record(
          await runMeasured('podman', [
            ...where,
            ...['--storage-driver', 'overlay', ...how],
            this.#reference,
          ]),
        );
      },
    };
  }

  /** systemd's own; it speaks https, keeps each layer as a folder, and mounts them. */
  importctl(): Contender {
    const version = execFileSync('importctl', ['--version'], { encoding: 'utf8' }).split(' ')[1];
    return {
      what: `importctl pull-oci of systemd ${version ?? ''}`,
      prepare: () => {
        mkdirSync(MACHINES, { recursive: true });
        mustRun('mount', ['-t', 'tmpfs', '-o', 'size=4g,mode=700', 'machines', MACHINES]);
      },
      run: async (round) => {
        const how = ['pull-oci', '--class=machine', '--quiet'];
        await runMeasured('importctl', [...how, this.#reference, `bench${round}`]);
      },
      cleanUp: () => {
        mustRun('umount', [MACHINES]); // what is in it is immutable (FS_IMMUTABLE_FL)
      },
    };
  }

  /** Where a contender has what it pulls in a round. */
  #place(name: string, round: number): string {
    return join(this.#parent, `${name}${round}`);
  }

  #folders(name: string): Required<Pick<Contender, 'prepare' | 'cleanUp'>> {
    return {
      prepare: (round) => {
        mkdirSync(this.#place(name, round));
      },
      cleanUp: (round) => {
        rmSync(this.#place(name, round), { recursive: true });
      },
    };
  }
}

/** Installs an image below `root`, which exists, and gives what that took. */
export function installWithBerth(root: string, name: string, reference: string): Promise<Usage> {
  const args = ['--root', root, 'install', '--system', '--name', name, reference];
  return runMeasured(process.execPath, [BERTH_PROGRAM, ...args]);
}

/** Updates what {@link installWithBerth} installed, and gives what that took. */
export function updateWithBerth(root: string, name: string): Promise<Usage> {
  return runMeasured(process.execPath, [BERTH_PROGRAM, '--root', root, 'update', name]);
}

/** What has come over loopback since the host was booted, in bytes. */
export function receivedBytes(): number {
  return Number(/^\s*lo:\s*(\d+)/m.exec(readFileSync('/proc/net/dev', 'utf8'))?.[1]);
}

/** What a folder takes on its disk, in bytes; a file with several names counts once. */
export function diskBytes(folder: string): number {
  const text = execFileSync('du', ['--summarize', '--block-size=1', folder], { encoding: 'utf8' });
  return Number(text.split('\t')[0]);
}
