import { chownSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { projectRoot } from './cache-folder.js';
import { type CommandResult, runCommand } from './run-command.js';
import { TempDir } from './temp-dir.js';

/** Nobody's on any machine that the tests run on. */
const UID = 61_234;

/**
 * A user of this machine without rights, with a home and a run-time directory, to run berth as. There is no service manager.
 * Whatever the checkout and Node lie in, the user reaches them.
 */
export class PlainUser implements Disposable {
  readonly uid = UID;
  readonly #folder = new TempDir(tmpdir());
  readonly home = join(this.#folder.path, 'home');
  readonly runtimeDir = join(this.#folder.path, 'run');

  constructor() {
    for (const path of [this.#folder.path, this.home, this.runtimeDir]) {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      chownSync(path, UID, UID);
    }
  }

  /** Where the store is. */
  get store(): string {
    return join(this.home, '.local/share/berth/.store');
  }

  /** Runs berth of this checkout as the user; `env` is added to the environment. */
  async berth(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<CommandResult> {
    return this.run(['/mnt/node', '/mnt/berth/dist/bin/berth.cjs', ...args], env);
  }

  /** Runs a command as the user. */
  async run(
    argv: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<CommandResult> {
    const script = [
      'mount -t tmpfs -o mode=0755 none /mnt',
      'mkdir /mnt/berth && touch /mnt/node',
      `mount --bind '${projectRoot}' /mnt/berth && mount --bind '${process.execPath}' /mnt/node`,
      `exec setpriv --reuid ${UID} --regid ${UID} --clear-groups --no-new-privs -- "$@"`,
    ].join('\n');
    return runCommand(['unshare', '--mount', 'sh', '-euc', script, 'sh', ...argv], {
      cwd: '/',
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        HOME: this.home,
        XDG_RUNTIME_DIR: this.runtimeDir,
        ...env,
      },
    });
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}
