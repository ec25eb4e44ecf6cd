import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { randomBytes } from 'node:crypto';

import { projectRoot } from './cache-folder.js';
import { hostsFolder, markOf, reapDeadHosts, removeHost, writeHostRecord } from './host-record.js';
import { bootedHostRecipe, hostTree, type TreeRecipe } from './host-tree.js';
import { machineKernel, type MachineKernel } from './machine-kernel.js';
import { type CommandResult, runOk } from './run-command.js';
import type { Suite } from './suites.js';

/**
 * Whole machines: Debian's kernel and tree on a disk of their own in qemu, without hardware help, so that there are
 * real boots and reboots, cgroup controllers, and a plug to pull. A boot takes about twenty seconds, and a command some
 * tens of times longer than outside: Node needs three seconds to say its version. Commands go over the second serial
 * port, to a small agent in the tree; the machine sees the test's loopback as 10.0.2.2.
 */
export interface BootMachineOptions {
  readonly suite: Suite;
  /** Changes the tree before it becomes a disk; it may be entered with chroot. */
  readonly prepare?: (tree: string) => void | Promise<void>;
  readonly diskMb?: number;
}

/** Longest time for a boot, in emulation and on a busy machine. */
const BOOT_TIMEOUT_MS = 180_000;

/** How the kernel says that it cannot go on. */
const KERNEL_FAULT = /Oops: |Kernel panic|double fault/;

/** A fault of the emulator is met in about one boot of twenty; three in a row are something else. */
const MAX_START_ATTEMPTS = 3;

/** The recipe of a whole machine's tree: a booted host's, with what a kernel of its own asks for. */
export function wholeMachineRecipe(suite: Suite): TreeRecipe {
  const host = bootedHostRecipe(suite);
  return {
    ...host,
    name: 'machine',
    packages: [...host.packages, 'kmod'],
    files: {
      ...host.files,
      '/etc/fstab': '/dev/vda / ext4 defaults 0 0\n',
      '/etc/systemd/system/test-agent.service': fixture('agent.service'),
      '/usr/local/lib/test-agent': fixture('agent.sh'),
      '/etc/systemd/system/test-network.service':
        '[Unit]\nDefaultDependencies=no\nBefore=network.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\n' +
        'ExecStart=modprobe virtio_net\nExecStart=ip link set eth0 up\nExecStart=ip addr add 10.0.2.15/24 dev eth0\n' +
        'ExecStart=ip route add default via 10.0.2.2\n[Install]\nWantedBy=multi-user.target\n',
    },
    customize: [
      ...(host.customize ?? []),
      'systemctl --root="$1" enable test-agent.service test-network.service',
    ],
  };
}

function fixture(name: string): string {
  return readFileSync(join(projectRoot, 'test/fixtures/machine', name), 'utf8');
}

/** Makes a disk, and boots a machine from it. */
export async function bootMachine(options: BootMachineOptions): Promise<WholeMachine> {
  const tree = await hostTree(wholeMachineRecipe(options.suite));
  const kernel = await machineKernel(options.suite);
  await reapDeadHosts();
  const machine = new WholeMachine(options, kernel);
  try {
    await machine.make(tree);
    await machine.start();
    return machine;
  } catch (error) {
    await machine[Symbol.asyncDispose]();
    throw error;
  }
}

/** A machine that runs, or is off. Made by {@link bootMachine}. */
export class WholeMachine implements AsyncDisposable {
  readonly suite: Suite;
  readonly id = randomBytes(4).toString('hex');
  readonly #folder: string;
  readonly #options: BootMachineOptions;
  readonly #kernel: MachineKernel;
  readonly #owner = markOf(process.pid) ?? { pid: process.pid, startTicks: '' };
  #qemu: ChildProcess | undefined;
  #agent: AgentLine | undefined;

  /** Not for tests: see {@link bootMachine}. */
  constructor(options: BootMachineOptions, kernel: MachineKernel) {
    this.suite = options.suite;
    this.#options = options;
    this.#kernel = kernel;
    this.#folder = join(hostsFolder(), this.id);
  }

  /** Makes the disk; once, before the first start. */
  async make(tree: string): Promise<void> {
    const root = join(this.#folder, 'root');
    await mkdir(root, { recursive: true });
    await this.#record();
    await runOk(['mount', '-t', 'tmpfs', '-o', 'mode=755,size=4g', 'berth-test', root]);
    await runOk(['cp', '-a', `${tree}/.`, root]);
    await runOk(['cp', '-a', `${this.#kernel.modules}/.`, root]);
    await writeFile(join(root, 'etc/machine-id'), `${randomBytes(16).toString('hex')}\n`);
    await writeFile(join(root, 'etc/hostname'), `${this.suite}\n`);
    await writeFile(join(root, 'etc/hosts'), `127.0.0.1 localhost\n127.0.1.1 ${this.suite}\n`);
    await this.#options.prepare?.(root);
    await runOk(['truncate', `--size=${this.#options.diskMb ?? 2048}M`, this.disk]);
    await runOk(['mkfs.ext4', '-q', '-m', '0', '-d', root, this.disk]);
    await runOk(['umount', root]);
  }

  /** The disk: one ext4 file system, no partitions. */
  get disk(): string {
    return join(this.#folder, 'disk.ext4');
  }

  /**
   * Switches on; when it returns, no start job is left. The emulator now and then has the kernel fault in a way that no
   * real machine does (a double fault on the return from an interrupt); it is then switched off and on again, which is
   * one more power cut for the disk.
   */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const seen = existsSync(this.#consolePath) ? this.console().length : 0;
      try {
        await this.#startOnce(seen);
        return;
      } catch (error) {
        const faulted = this.#qemu !== undefined && KERNEL_FAULT.test(this.console().slice(seen));
        if (!faulted || attempt === MAX_START_ATTEMPTS) throw error;
        await this.powerCut();
      }
    }
  }

  async #startOnce(seen: number): Promise<void> {
    const agentPath = join(this.#folder, 'agent.socket');
    const qemu = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...this.#qemuOptions(agentPath)],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let errors = '';
    qemu.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    this.#qemu = qemu;
    try {
      await this.#record();
      const faulted = (): boolean => KERNEL_FAULT.test(this.console().slice(seen));
      this.#agent = await AgentLine.connect(agentPath, { qemu, faulted });
      const end = Date.now() + BOOT_TIMEOUT_MS;
      for (;;) {
        const { stdout } = await this.run('systemctl is-system-running --wait', BOOT_TIMEOUT_MS);
        if (['running', 'degraded'].includes(stdout.trim())) return;
        if (Date.now() > end) throw new Error(`it is still '${stdout.trim()}'`);
        await delay(200);
      }
    } catch (error) {
      throw new Error(`the machine did not boot\n${errors}\n${this.console().slice(-6000)}`, {
        cause: error,
      });
    }
  }

  /** Runs a shell script on the machine, to its end. */
  async run(script: string, timeoutMs = 120_000): Promise<CommandResult> {
    if (this.#agent === undefined) throw new Error('this machine is off');
    return this.#agent.run(script, timeoutMs);
  }

  /** Runs a shell script that has to succeed, and gives its standard output. */
  async sh(script: string, timeoutMs?: number): Promise<string> {
    const result = await this.run(script, timeoutMs);
    if (result.status !== 0) {
      throw new Error(
        `'${script}' ended with ${result.status}\n${result.stdout}\n${result.stderr}`,
      );
    }
    return result.stdout;
  }

  /** Starts a shell script and does not wait for it. */
  async begin(script: string): Promise<void> {
    await this.sh(`setsid sh -c ${JSON.stringify(script)} >/run/begun 2>&1 </dev/null &`);
  }

  /** Shuts down in order and starts again. */
  async reboot(): Promise<void> {
    await this.powerOff();
    await this.start();
  }

  /** Shuts down in order. */
  async powerOff(): Promise<void> {
    const qemu = this.#qemu;
    if (qemu === undefined) return;
    // In the background and a moment later: the agent's own answer must not be cut off by the shutdown.
    await this.run('setsid sh -c "sleep 0.5; systemctl --no-block poweroff" >/dev/null 2>&1 &');
    const timer = setTimeout(() => qemu.kill('SIGKILL'), BOOT_TIMEOUT_MS);
    await this.#ended(qemu);
    clearTimeout(timer);
    if (qemu.signalCode !== null) throw new Error(`no shutdown\n${this.console().slice(-4000)}`);
  }

  /** Pulls the plug: what the machine had not given to its disk is lost. */
  async powerCut(): Promise<void> {
    const qemu = this.#qemu;
    if (qemu === undefined) return;
    qemu.kill('SIGKILL');
    await this.#ended(qemu);
  }

  /** Reads the disk of a machine that is off: `body` gets the folder where it is mounted (its journal replayed). */
  async withDisk<T>(body: (root: string) => Promise<T>): Promise<T> {
    if (this.#qemu !== undefined) throw new Error('the disk is in use');
    const root = join(this.#folder, 'root');
    await runOk(['mount', '-o', 'loop', this.disk, root]);
    try {
      return await body(root);
    } finally {
      await runOk(['umount', root]);
    }
  }

  /** Checks the file system of a machine that is off, without changing it; replays its journal in a copy first. */
  async checkDisk(): Promise<void> {
    const copy = join(this.#folder, 'check.ext4');
    await runOk(['cp', '--sparse=always', this.disk, copy]);
    // The first run replays the journal (status 1: it changed something), the second finds what is really wrong.
    await runOk(['sh', '-c', 'e2fsck -fp "$1" || [ $? -eq 1 ] && e2fsck -fn "$1"', 'sh', copy]);
    await runOk(['rm', copy]);
  }

  /** All that the kernel and systemd wrote to the console since the first start. */
  console(): string {
    return readFileSync(this.#consolePath, 'utf8');
  }

  /** Switches off and takes everything away. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.powerCut();
    await removeHost({ id: this.id, owner: this.#owner, processes: [] });
  }

  get #consolePath(): string {
    return join(this.#folder, 'console.log');
  }

  #qemuOptions(agentPath: string): readonly string[] {
    return [
      ...['-accel', 'tcg,thread=single', '-cpu', 'qemu64', '-smp', '1', '-m', '1024'],
      ...['-display', 'none', '-nodefaults', '-no-reboot', '-no-user-config'],
      ...['-kernel', this.#kernel.image, '-initrd', this.#kernel.initrd],
      ...['-append', 'console=ttyS0 panic=-1 quiet systemd.show_status=1 net.ifnames=0'],
      ...['-drive', `file=${this.disk},format=raw,if=virtio,cache=writeback`],
      ...['-chardev', `file,id=console,path=${this.#consolePath},append=on`],
      ...['-serial', 'chardev:console'],
      ...['-chardev', `socket,id=agent,path=${agentPath},server=on,wait=off`],
      ...['-serial', 'chardev:agent'],
      ...['-netdev', 'user,id=net', '-device', 'virtio-net-pci,netdev=net'],
    ];
  }

  async #ended(qemu: ChildProcess): Promise<void> {
    if (qemu.exitCode === null && qemu.signalCode === null) await once(qemu, 'close');
    this.#agent?.close();
    this.#agent = undefined;
    this.#qemu = undefined;
  }

  async #record(): Promise<void> {
    const mark = this.#qemu?.pid === undefined ? undefined : markOf(this.#qemu.pid);
    await writeHostRecord({
      id: this.id,
      owner: this.#owner,
      processes: mark === undefined ? [] : [mark],
    });
  }
}

/** The line to the agent in a machine: a script goes in, one line with its end comes out. */
class AgentLine {
  readonly #socket: Socket;
  #text = '';
  #waiting: ((line: string) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined); // the machine went; what waits for an answer has its own time limit
    socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1');
      this.#deliver();
    });
  }

  /** Connects to qemu's end and waits for the agent to say that it is there. */
  static async connect(
    path: string,
    { qemu, faulted }: { readonly qemu: ChildProcess; readonly faulted: () => boolean },
  ): Promise<AgentLine> {
    const end = Date.now() + BOOT_TIMEOUT_MS;
    for (;;) {
      if (qemu.exitCode !== null) throw new Error(`qemu ended with ${qemu.exitCode}`);
      const socket = connect(path);
      const connected = await new Promise<boolean>((resolve) => {
        socket.once('connect', () => {
          resolve(true);
        });
        socket.once('error', () => {
          resolve(false);
        });
      });
      if (connected) {
        const line = new AgentLine(socket);
        const watch = setInterval(() => {
          if (faulted()) line.#socket.destroy(new Error('the kernel faulted'));
        }, 500);
        try {
          while ((await line.#next(end - Date.now())) !== 'ready');
          return line;
        } finally {
          clearInterval(watch);
        }
      }
      if (Date.now() > end) throw new Error('qemu does not listen');
      await delay(20);
    }
  }

  async run(script: string, timeoutMs: number): Promise<CommandResult> {
    this.#socket.write(`${Buffer.from(script).toString('base64')}\n`);
    for (;;) {
      const answer = /^(\d+) \.(\S*) \.(\S*)$/.exec(await this.#next(timeoutMs));
      if (answer === null) continue; // the agent was started again and says 'ready'
      const [, status, output, errors] = answer;
      return {
        status: Number(status),
        signal: undefined,
        stdout: Buffer.from(output ?? '', 'base64').toString(),
        stderr: Buffer.from(errors ?? '', 'base64').toString(),
      };
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  async #next(timeoutMs: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => {
          this.#waiting = undefined;
          reject(new Error(`the machine did not answer within ${timeoutMs} ms`));
        },
        Math.max(timeoutMs, 1),
      );
      const closed = (): void => {
        clearTimeout(timer);
        this.#waiting = undefined;
        reject(new Error('the line to the machine was cut'));
      };
      this.#socket.once('close', closed);
      this.#waiting = (line) => {
        clearTimeout(timer);
        this.#socket.off('close', closed);
        resolve(line);
      };
      this.#deliver();
    });
  }

  #deliver(): void {
    const end = this.#text.indexOf('\n');
    const waiting = this.#waiting;
    if (end < 0 || waiting === undefined) return;
    const line = this.#text.slice(0, end).replace(/\r$/, '');
    this.#text = this.#text.slice(end + 1);
    this.#waiting = undefined;
    waiting(line);
  }
}
