import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { type JournalEntry, parseJournal } from './host-journal.js';
import { findLeader } from './host-leader.js';
import { HostNetwork } from './host-network.js';
import { hostsFolder, markOf, reapDeadHosts, removeHost, writeHostRecord } from './host-record.js';
import { assertFreshProgram } from './fresh-program.js';
import { furnishRoot, type RootOptions } from './furnish-root.js';
import { bootedHostRecipe, hostTree, type TreeRecipe } from './host-tree.js';
import { type CommandResult, runCommand, type RunCommandOptions, runOk } from './run-command.js';
import { startNspawn } from './start-nspawn.js';
import { type SnapshotOptions, snapshotTree, type TreeSnapshot } from './tree-snapshot.js';
import type { Suite } from './suites.js';
import { waitUntil } from './wait-until.js';

/**
 * Booted hosts: a real systemd on a Debian tree, about a second a boot, in systemd-nspawn.
 *
 * Each host is a copy of its suite's tree on a tmpfs of its own, with a network namespace of its own (only loopback;
 * see {@link HostNetwork}) and a control group of its own, so hosts do not meet each other or the machine and may run
 * side by side. The checkout under test is at /opt/berth, read-only, and the machine's Node at /usr/bin/node. A host
 * has no cgroup controllers: limits are tested on a whole machine (whole-machine.ts).
 *
 * If the test process dies, the kernel ends systemd-nspawn and with it the host; the mounts, groups and folders that
 * are left are taken away before the next host boots.
 */
export interface BootHostOptions extends RootOptions {
  readonly suite: Suite;
  /** The tree to copy; {@link bootedHostRecipe} of the suite unless given. */
  readonly recipe?: TreeRecipe;
  /** The version of control groups that systemd sets up; on version 1 (up to systemd 257) the machine's controllers are there. */
  readonly cgroupVersion?: 1 | 2;
}

/** Longest time for a boot or a shutdown. Both take about a second; a busy machine may take ten times as long. */
const BOOT_TIMEOUT_MS = 120_000;

/** How long between two looks at something that systemd is doing. */
const POLL_MS = 40;

/** The environment of commands run on a host. */
const HOST_ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
};

/** Boots a host. A host that does not boot is an error that shows its console. */
export async function bootHost(options: BootHostOptions): Promise<BootedHost> {
  assertFreshProgram();
  const tree = await hostTree(options.recipe ?? bootedHostRecipe(options.suite));
  await reapDeadHosts();
  const host = new BootedHost(options);
  try {
    await host.make(tree);
    await host.start();
    return host;
  } catch (error) {
    await host[Symbol.asyncDispose]();
    throw error;
  }
}

/** A host that runs, or is powered off between two boots. Made by {@link bootHost}. */
export class BootedHost implements AsyncDisposable {
  readonly suite: Suite;
  /** Short name, different for each host. */
  readonly id = randomBytes(4).toString('hex');
  /** The host's root folder as the machine sees it, whether the host runs or not. */
  readonly root: string;
  readonly #folder: string;
  readonly #options: BootHostOptions;
  readonly #owner = markOf(process.pid) ?? { pid: process.pid, startTicks: '' };
  #network: HostNetwork | undefined;
  #container: ChildProcess | undefined;
  #leader: number | undefined;

  /** Not for tests: see {@link bootHost}. */
  constructor(options: BootHostOptions) {
    this.suite = options.suite;
    this.#options = options;
    this.#folder = join(hostsFolder(), this.id);
    this.root = join(this.#folder, 'root');
  }

  /** Makes the host's folders, mounts and network; once, before the first start. */
  async make(tree: string): Promise<void> {
    await mkdir(this.root, { recursive: true });
    await this.#record();
    await furnishRoot(this.root, { tree, folder: this.#folder, ...this.#options });
    this.#network = await HostNetwork.create(this.id);
  }

  /** The network of the host. */
  get network(): HostNetwork {
    if (this.#network === undefined) throw new Error('this host has no network yet');
    return this.#network;
  }

  /** Process number, on the machine, of the host's PID 1. */
  get leader(): number {
    if (this.#leader === undefined) throw new Error('this host is powered off');
    return this.#leader;
  }

  /** Boots; when it returns, no start job is left. Units that failed are not an error here. */
  async start(): Promise<void> {
    const container = await startNspawn({
      id: this.id,
      root: this.root,
      suite: this.suite,
      network: this.network.path,
      console: this.#consolePath,
      cgroupVersion: this.#options.cgroupVersion ?? 2,
      hasOwnNode: this.#options.hasOwnNode ?? false,
    });
    this.#container = container;
    container.unref();
    try {
      this.#leader = await findLeader(container, BOOT_TIMEOUT_MS);
      await this.#record();
      await this.#waitForBoot(container);
    } catch (error) {
      throw new Error(`${this.suite} did not boot\n${this.console().slice(-6000)}`, {
        cause: error,
      });
    }
  }

  /** Shuts down in order, as `systemctl poweroff` does. */
  async powerOff(): Promise<void> {
    await this.#leave('poweroff');
  }

  /** Shuts down in order and boots the same tree again. */
  async reboot(): Promise<void> {
    await this.#leave('reboot');
    await this.start();
  }

  /** Ends every process of the host at once, PID 1 first. What was written stays: for lost writes see whole-machine.ts. */
  async kill(): Promise<void> {
    const gone = this.#gone();
    process.kill(this.leader, 'SIGKILL');
    await gone;
  }

  /** Runs a command on the host, as root, with a small fixed environment to which `env` is added. */
  async run(argv: readonly string[], options: RunCommandOptions = {}): Promise<CommandResult> {
    return runCommand([...this.#enter(), ...argv], {
      ...options,
      env: { ...HOST_ENVIRONMENT, ...options.env },
    });
  }

  /** Runs a command that has to succeed, and gives its standard output. */
  async runOk(argv: readonly string[], options: RunCommandOptions = {}): Promise<string> {
    return runOk([...this.#enter(), ...argv], {
      ...options,
      env: { ...HOST_ENVIRONMENT, ...options.env },
    });
  }

  /** Runs a shell script on the host that has to succeed, and gives its standard output. */
  async sh(script: string): Promise<string> {
    return this.runOk(['sh', '-euc', script]);
  }

  /** Runs berth of this checkout on the host. */
  async berth(...args: readonly string[]): Promise<CommandResult> {
    return this.run(['node', '/opt/berth/dist/bin/berth.cjs', ...args]);
  }

  /** Runs a program of the machine (curl, redis-cli, …) in the host's network. */
  async runInNetwork(
    argv: readonly string[],
    options: RunCommandOptions = {},
  ): Promise<CommandResult> {
    return runCommand(['nsenter', `--net=${this.network.path}`, ...argv], options);
  }

  /**
   * The machine's path of a path of the host. While the host runs, /run and /tmp are seen too. Symbolic links with
   * absolute targets resolve on the machine, so read what may be one with {@link BootedHost.run}.
   */
  outside(path: string): string {
    const own = /^\/(run|tmp|dev)(\/|$)/.test(path);
    return own ? `/proc/${this.leader}/root${path}` : join(this.root, path);
  }

  /** Properties of a unit, as `systemctl show` gives them. */
  async unit(name: string): Promise<Readonly<Record<string, string>>> {
    const text = await this.runOk(['systemctl', 'show', '--', name]);
    return Object.fromEntries(
      text
        .split('\n')
        .filter((line) => line.includes('='))
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  }

  /** Waits until a unit has the given properties; when they do not come, the error has its status and log. */
  async waitFor(
    name: string,
    wanted: Readonly<Record<string, string>>,
    timeoutMs = 30_000,
  ): Promise<Readonly<Record<string, string>>> {
    const look = async (): Promise<Readonly<Record<string, string>> | undefined> => {
      const properties = await this.unit(name);
      const isThere = Object.entries(wanted).every(([key, value]) => properties[key] === value);
      return isThere ? properties : undefined;
    };
    const what = `${JSON.stringify(wanted)} of ${name}`;
    return waitUntil(what, look, { timeoutMs, everyMs: POLL_MS }).catch(async (error: unknown) => {
      const tell =
        'systemctl status --lines=0 --full "$1"; journalctl --no-pager --boot --lines=60 --unit="$1"';
      const { stdout } = await this.run(['sh', '-c', tell, 'sh', name]);
      throw new Error(`${String(error)}\n${stdout}`);
    });
  }

  /** Waits until the journal of a unit has a message that is, or matches, what is wanted; gives all that are there then. */
  async waitForMessage(unit: string, wanted: string | RegExp): Promise<readonly string[]> {
    return waitUntil(`'${String(wanted)}' from ${unit}`, async () => {
      const messages = (await this.journal(unit)).map(({ message }) => message);
      const isThere = messages.some((message) =>
        typeof wanted === 'string' ? message === wanted : wanted.test(message),
      );
      assert.ok(isThere, messages.join('\n'));
      return messages;
    });
  }

  /** Entries of the journal of this boot: of one unit (and of systemd about it), or all. */
  async journal(unit?: string): Promise<readonly JournalEntry[]> {
    await this.runOk(['journalctl', '--sync']);
    const about = unit === undefined ? [] : [`--unit=${unit}`];
    return parseJournal(
      await this.runOk(['journalctl', '--boot', '--output=json', '--all', '--no-pager', ...about]),
    );
  }

  /** Takes down the whole host but for what always changes: the journal, and systemd's own random seed. */
  async snapshot(options: SnapshotOptions = {}): Promise<TreeSnapshot> {
    return snapshotTree(this.root, {
      ...options,
      except: [
        'var/log/journal',
        'var/log/wtmp',
        'var/lib/systemd/random-seed',
        'proc',
        'sys',
        'dev',
        'run',
        'tmp',
        ...(options.except ?? []),
      ],
    });
  }

  /** All that the host wrote to its console so far. */
  console(): string {
    // Colours and cursor movements of a terminal say nothing in a test's log.
    return readFileSync(this.#consolePath, 'utf8').replace(
      /\u001b(\[[0-9;?!]*[a-zA-Z]|\][^\u001b\u0007]*(\u0007|\u001b\\)|.)/g,
      '',
    );
  }

  /** Ends the host and takes it away, with everything that was made for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#leader !== undefined) await this.kill();
    await this.#network?.[Symbol.asyncDispose]();
    await removeHost({ id: this.id, owner: this.#owner, processes: [] });
  }

  get #consolePath(): string {
    return join(this.#folder, 'console.log');
  }

  #enter(): readonly string[] {
    return ['nsenter', `--target=${this.leader}`, ...'-m -u -i -n -p -C -r -w'.split(' '), '--'];
  }

  async #record(): Promise<void> {
    const processes = [this.#container?.pid, this.#leader]
      .map((pid) => (pid === undefined ? undefined : markOf(pid)))
      .filter((mark) => mark !== undefined);
    await writeHostRecord({ id: this.id, owner: this.#owner, processes });
  }

  async #waitForBoot(container: ChildProcess): Promise<void> {
    const end = Date.now() + BOOT_TIMEOUT_MS;
    for (;;) {
      if (container.exitCode !== null) throw new Error(`it ended with ${container.exitCode}`);
      const { stdout } = await this.run(['systemctl', 'is-system-running'], {
        timeoutMs: BOOT_TIMEOUT_MS,
      });
      const state = stdout.trim();
      if (state === 'running' || state === 'degraded') return;
      if (state === 'maintenance') throw new Error('it is in emergency mode');
      if (Date.now() > end) throw new Error(`it is still '${state}'`);
      await delay(POLL_MS);
    }
  }

  async #leave(verb: 'poweroff' | 'reboot'): Promise<void> {
    const gone = this.#gone();
    // Its answer may be cut off by the shutdown itself.
    await this.run(['systemctl', '--no-block', verb]);
    await gone;
  }

  /** Resolves when systemd-nspawn has ended; a host that does not go is killed, and that is an error. */
  async #gone(): Promise<void> {
    const container = this.#container;
    if (container === undefined) return;
    const late = new AbortController();
    const timer = setTimeout(() => {
      late.abort();
      if (this.#leader !== undefined) process.kill(this.#leader, 'SIGKILL');
    }, BOOT_TIMEOUT_MS);
    if (container.exitCode === null && container.signalCode === null) {
      container.ref();
      await new Promise((resolve) => container.once('close', resolve));
    }
    clearTimeout(timer);
    this.#leader = undefined;
    this.#container = undefined;
    if (late.signal.aborted) {
      throw new Error(`${this.suite} did not shut down\n${this.console().slice(-6000)}`);
    }
  }
}
