import assert from 'node:assert/strict';
import { join } from 'node:path';

import type { BootedHost } from '../support/booted-host.js';
import type { HostUser } from '../support/host-user.js';
import { snapshotTree, type TreeSnapshot } from '../support/tree-snapshot.js';
import { waitUntil } from '../support/wait-until.js';
import { REPEATABLE, supervise, type Supervised, type Supervision } from './supervise.js';

/** A user of a booted host, what runs in the user's containers, and what is in the home and outside of it. */
export class WatchedUser {
  readonly #host: BootedHost;
  readonly #user: HostUser;

  constructor(host: BootedHost, user: HostUser) {
    this.#host = host;
    this.#user = user;
  }

  /** What is not the user's; systemd keeps the times of timers and who lingers. */
  async lookOutside(): Promise<TreeSnapshot> {
    return this.#host.snapshot({
      except: ['home/alice', 'var/lib/systemd', 'var/log'],
      withTimes: true,
    });
  }

  /** The home but for berth's own store and locks. */
  async lookAtHome(): Promise<TreeSnapshot> {
    const own = ['.store', '.locks', '.journal', '.settings', '.launch'];
    return snapshotTree(join(this.#host.root, this.#user.home), {
      except: own.map((name) => `.local/share/berth/${name}`),
    });
  }

  /** The command line of what runs in a container, as its own process has it; undefined where nothing runs. */
  async #findRunning(name: string): Promise<string | undefined> {
    const { stdout } = await this.#user.run([
      'sh',
      '-c',
      `group=$(systemctl --user show --value -p ControlGroup ${name}.service)
       [ -z "$group" ] || for pid in $(find "/sys/fs/cgroup$group" -name cgroup.procs -exec cat {} +); do
         tr '\\0' ' ' <"/proc/$pid/cmdline"; echo
       done`,
    ]);
    return stdout
      .split('\n')
      .find((line) => line.startsWith('/probe'))
      ?.trim();
  }

  async assertRuns(name: string, command: string): Promise<void> {
    await waitUntil(`${command} of ${name}`, async () => {
      assert.equal(await this.#findRunning(name), command);
      return true;
    });
  }

  /** Runs berth as the user under supervision: what it does in the home, and what it tells the user's service manager. */
  supervise(
    args: readonly string[],
    supervision: Omit<Supervision, 'roots' | 'bus'>,
  ): Promise<Supervised> {
    const program = ['node', '/opt/berth/dist/bin/berth.cjs', '--user', ...args];
    const enter = [
      'nsenter',
      `--target=${this.#host.leader}`,
      ...'-m -u -i -n -p -C -r -w'.split(' '),
      '--',
    ];
    return supervise(
      [...enter, ...this.#user.enter(program)],
      { ...supervision, roots: [this.#user.home], bus: true },
      { env: { ...REPEATABLE, PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...this.#user.environment } },
    );
  }
}
