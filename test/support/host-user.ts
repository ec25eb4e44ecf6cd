import type { BootedHost } from './booted-host.js';
import type { CommandResult, RunCommandOptions } from './run-command.js';
import { waitUntil } from './wait-until.js';

/** Longest time for a user's service manager to start. */
const START_TIMEOUT_MS = 20_000;

/** An ordinary user of a booted host. */
export class HostUser {
  readonly #host: BootedHost;
  readonly name: string;
  readonly uid: number;

  private constructor(host: BootedHost, name: string, uid: number) {
    this.#host = host;
    this.name = name;
    this.uid = uid;
  }

  /** Makes the user; no service manager runs before {@link HostUser.linger}. */
  static async create(host: BootedHost, name: string, uid: number): Promise<HostUser> {
    // The trees have no useradd.
    await host.sh(`
      echo '${name}:x:${uid}:${uid}::/home/${name}:/bin/sh' >>/etc/passwd
      echo '${name}:x:${uid}:' >>/etc/group
      echo '${name}:*:20000:0:99999:7:::' >>/etc/shadow
      mkdir -m 0700 /home/${name}
      chown ${uid}:${uid} /home/${name}`);
    return new HostUser(host, name, uid);
  }

  get home(): string {
    return `/home/${this.name}`;
  }

  get runtimeDir(): string {
    return `/run/user/${this.uid}`;
  }

  /** Has the service manager run without a session; it has started. */
  async linger(): Promise<void> {
    // As 'loginctl enable-linger' does it for who has a session, which nobody has who comes through nsenter.
    await this.#host.sh(`
      mkdir -p /var/lib/systemd/linger
      touch /var/lib/systemd/linger/${this.name}
      systemctl start user@${this.uid}.service`);
    await this.started();
  }

  /** Waits until the service manager has started what it starts by itself. */
  async started(): Promise<void> {
    await waitUntil(
      `the service manager of ${this.name}`,
      async () => (await this.run(['systemctl', '--user', 'is-system-running'])).stdout !== '',
      { timeoutMs: START_TIMEOUT_MS },
    );
    await this.run(['systemctl', '--user', 'is-system-running', '--wait']);
  }

  /** Runs a command as the user, as a session would. */
  async run(argv: readonly string[], options: RunCommandOptions = {}): Promise<CommandResult> {
    return this.#host.run(this.enter(argv), {
      ...options,
      env: { ...this.environment, ...options.env },
    });
  }

  /** The command by which root of the host becomes the user. */
  enter(argv: readonly string[]): readonly string[] {
    const ids = [`--reuid=${this.uid}`, `--regid=${this.uid}`, '--init-groups'];
    return ['setpriv', ...ids, '--', 'env', '-C', this.home, ...argv];
  }

  get environment(): Readonly<Record<string, string>> {
    return { HOME: this.home, USER: this.name, XDG_RUNTIME_DIR: this.runtimeDir };
  }

  /** Runs berth of this checkout as the user, with `--user`. */
  async berth(...args: readonly string[]): Promise<CommandResult> {
    return this.run(['node', '/opt/berth/dist/bin/berth.cjs', '--user', ...args]);
  }

  /** Properties of one of the user's units. */
  async unit(name: string): Promise<Readonly<Record<string, string>>> {
    const { stdout } = await this.run(['systemctl', '--user', 'show', '--', name]);
    return Object.fromEntries(
      stdout.split('\n').flatMap((line) => {
        const at = line.indexOf('=');
        return at === -1 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
      }),
    );
  }
}
