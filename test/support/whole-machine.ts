import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { randomBytes } from 'node:crypto';

import { AgentLine, MachineGoneError } from './agent-line.js';
import { projectRoot } from './cache-folder.js';
import { emulatorCommand } from './emulator.js';
import { hostsFolder, markOf, reapDeadHosts, removeHost, writeHostRecord } from './host-record.js';
import { bootedHostRecipe, hostTree, type TreeRecipe } from './host-tree.js';
import { machineKernel, type MachineKernel } from './machine-kernel.js';
import { type MachineArchitecture, type MachineKind, machineKinds } from './machine-kind.js';
import { type CommandResult, runOk } from './run-command.js';
import type { Suite } from './suites.js';

/**
 * Whole machines: Debian's kernel and tree on a disk of their own in qemu, without hardware help, so that there are
 * real boots and reboots, cgroup controllers, and a plug to pull. A boot takes about seven seconds, and a command some
 * ten times longer than outside. Commands go over the second serial port, to a small agent in the tree; the machine
 * sees the test's loopback as 10.0.2.2.
 */
export interface BootMachineOptions {
  readonly suite: Suite;
  /** x86-64 unless given. */
  readonly architecture?: MachineArchitecture;
  /** Packages beside those of every machine; they make a tree of their own, by the name of what it is for. */
  readonly extra?: { readonly name: string; readonly packages: readonly string[] };
  /** Changes the tree before it becomes a disk; it may be entered with chroot. */
  readonly prepare?: (tree: string) => void | Promise<void>;
  readonly diskMb?: number;
  /** Features of the file system beside the usual ones, as mke2fs names them. */
  readonly features?: string;
  /** Words for the kernel's command line beside the usual ones. */
  readonly kernelOptions?: string;
  /**
   * Has the machine's clock go on by two nanoseconds with each instruction, instead of with ours: what takes a time then takes the
   * same in every run, whatever else the machine outside does and however quickly the emulator translates.
   */
  readonly hasInstructionClock?: boolean;
}

/** Longest time for a boot: it takes seven seconds, and half a minute where the machine has other things to do. */
const BOOT_TIMEOUT_MS = 120_000;

/** Longest time for the answer to a question that takes no time; it is asked again after that. */
const POLL_TIMEOUT_MS = 20_000;

/** How the kernel says that it cannot go on. */
const KERNEL_FAULT = /Oops: |Kernel panic|double fault/;

/** No fault was met in hundreds of boots; three in a row are something else than bad luck. */
const MAX_START_ATTEMPTS = 3;

/** No machine needs them, and their installation takes half of the time that all takes where it is emulated. */
const DEAR = ['ca-certificates', 'libpam-systemd', 'dbus-user-session'];

/** What a whole machine is of. */
export type MachineModel = Pick<BootMachineOptions, 'suite' | 'architecture' | 'extra'>;

/** The recipe of a whole machine's tree: a booted host's, with what a kernel of its own asks for. */
export function wholeMachineRecipe(model: MachineModel): TreeRecipe {
  const recipe = usualRecipe(model);
  const { extra } = model;
  if (extra === undefined) return recipe;
  return {
    ...recipe,
    name: `${recipe.name}-${extra.name}`,
    packages: [...recipe.packages, ...extra.packages],
  };
}

function usualRecipe({ suite, architecture = 'amd64' }: MachineModel): TreeRecipe {
  const host = bootedHostRecipe(suite);
  const { serial } = machineKinds[architecture];
  return {
    ...host,
    name: 'machine',
    ...(architecture === 'amd64' ? {} : { architecture }),
    packages: [
      ...host.packages.filter((name) => architecture === 'amd64' || !DEAR.includes(name)),
      'kmod',
    ],
    files: {
      ...host.files,
      '/etc/fstab': '/dev/vda / ext4 defaults 0 0\n',
      '/etc/systemd/system/test-agent.service': fixture('agent.service'),
      '/usr/local/lib/test-agent': fixture('agent.sh').replace('ttyS', serial),
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
  const { suite, architecture = 'amd64' } = options;
  const tree = await hostTree(wholeMachineRecipe(options));
  const kernel = await machineKernel(suite, architecture);
  const emulator = await emulatorCommand(architecture);
  await reapDeadHosts();
  const machine = new WholeMachine(options, { kernel, emulator, kind: machineKinds[architecture] });
  try {
    await machine.make(tree);
    await machine.start();
    return machine;
  } catch (error) {
    await machine[Symbol.asyncDispose]();
    throw error;
  }
}

/** What a machine is put together from. */
interface MachineParts {
  readonly kernel: MachineKernel;
  readonly emulator: readonly string[];
  readonly kind: MachineKind;
}

/** A machine that runs, or is off. Made by {@link bootMachine}. */
export class WholeMachine implements AsyncDisposable {
  readonly suite: Suite;
  readonly id = randomBytes(4).toString('hex');
  readonly #folder: string;
  readonly #options: BootMachineOptions;
  readonly #parts: MachineParts;
  readonly #owner = markOf(process.pid) ?? { pid: process.pid, startTicks: '' };
  #qemu: ChildProcess | undefined;
  #agent: AgentLine | undefined;
  #kernelOptions: string;

  /** Not for tests: see {@link bootMachine}. */
  constructor(options: BootMachineOptions, parts: MachineParts) {
    this.suite = options.suite;
    this.#options = options;
    this.#parts = parts;
    this.#kernelOptions = options.kernelOptions ?? '';
    this.#folder = join(hostsFolder(), this.id);
  }

  /** Makes the disk; once, before the first start. */
  async make(tree: string): Promise<void> {
    const root = join(this.#folder, 'root');
    await mkdir(root, { recursive: true });
    await this.#record();
    await runOk(['mount', '-t', 'tmpfs', '-o', 'mode=755,size=4g', 'berth-test', root]);
    await runOk(['cp', '-a', `${tree}/.`, root]);
    await runOk(['cp', '-a', `${this.#parts.kernel.modules}/.`, root]);
    await writeFile(join(root, 'etc/machine-id'), `${randomBytes(16).toString('hex')}\n`);
    await writeFile(join(root, 'etc/hostname'), `${this.suite}\n`);
    await writeFile(join(root, 'etc/hosts'), `127.0.0.1 localhost\n127.0.1.1 ${this.suite}\n`);
    await this.#options.prepare?.(root);
    await runOk(['truncate', `--size=${this.#options.diskMb ?? 2048}M`, this.disk]);
    const { features } = this.#options;
    const extra = features === undefined ? [] : ['-O', features];
    await runOk(['mkfs.ext4', '-q', '-m', '0', ...extra, '-d', root, this.disk]);
    await runOk(['umount', root]);
  }

  /** The disk: one ext4 file system, no partitions. */
  get disk(): string {
    return join(this.#folder, 'disk.ext4');
  }

  /**
   * Switches on; when it returns, no start job is left. A machine that faults or does not come up in time is switched
   * off and on again, which is one more power cut for the disk.
   */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const seen = existsSync(this.#consolePath) ? this.console().length : 0;
      try {
        await this.#startOnce(seen);
        return;
      } catch (error) {
        if (!(error instanceof MachineGoneError) || attempt === MAX_START_ATTEMPTS) throw error;
        await this.powerCut();
      }
    }
  }

  async #startOnce(seen: number): Promise<void> {
    const agentPath = join(this.#folder, 'agent.socket');
    const qemu = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', ...this.#parts.emulator, ...this.#qemuOptions(agentPath)],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let errors = '';
    qemu.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    this.#qemu = qemu;
    const end = Date.now() + BOOT_TIMEOUT_MS;
    try {
      await this.#record();
      const faulted = (): boolean => KERNEL_FAULT.test(this.console().slice(seen));
      this.#agent = await AgentLine.connect(agentPath, {
        qemu,
        faulted,
        timeoutMs: BOOT_TIMEOUT_MS,
      });
      for (;;) {
        const state = await this.#systemState(end);
        if (['running', 'degraded'].includes(state)) return;
        if (faulted()) throw new MachineGoneError('the kernel faulted');
        if (Date.now() > end) throw new MachineGoneError(`it is still '${state}'`);
        await delay(100);
      }
    } catch (error) {
      const text = `the machine did not boot\n${errors}\n${this.console().slice(-6000)}`;
      throw error instanceof MachineGoneError
        ? new MachineGoneError(text, { cause: error })
        : new Error(text, { cause: error });
    }
  }

  /** What systemd says of itself; asked again when the answer does not come, as long as there is time. */
  async #systemState(end: number): Promise<string> {
    try {
      return (await this.run('systemctl is-system-running', POLL_TIMEOUT_MS)).stdout.trim();
    } catch (error) {
      if (error instanceof MachineGoneError && this.isOn && Date.now() < end) return 'silent';
      throw error;
    }
  }

  /** Whether the machine is switched on and its line holds. */
  get isOn(): boolean {
    return this.#agent?.isOpen === true;
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

  /** Shuts down in order and starts again, with other words for the kernel if they are given. */
  async reboot(kernelOptions = this.#kernelOptions): Promise<void> {
    await this.powerOff();
    this.#kernelOptions = kernelOptions;
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

  /**
   * Mounts a copy of the disk of a machine that is off, its journal replayed; `body` gets the folder. A copy, because a
   * program that made a mount namespace meanwhile would keep the disk itself mounted when the machine starts again.
   */
  async withDisk<T>(body: (root: string) => Promise<T>): Promise<T> {
    if (this.#qemu !== undefined) throw new Error('the disk is in use');
    const root = join(this.#folder, 'root');
    const copy = await this.#copyDisk('look');
    await runOk(['mount', '-o', 'loop', copy, root]);
    try {
      return await body(root);
    } finally {
      await runOk(['umount', root]);
      await rm(copy);
    }
  }

  /** Checks the file system of a machine that is off, without changing it; replays its journal in a copy first. */
  async checkDisk(): Promise<void> {
    const copy = await this.#copyDisk('check');
    // The first run replays the journal (status 1: it changed something), the second finds what is really wrong.
    await runOk(['sh', '-c', 'e2fsck -fp "$1" || [ $? -eq 1 ] && e2fsck -fn "$1"', 'sh', copy]);
    await rm(copy);
  }

  /** A copy with a name of its own: a loop device of an earlier one may live as long as a foreign mount namespace. */
  async #copyDisk(purpose: string): Promise<string> {
    const copy = join(this.#folder, `${purpose}-${randomBytes(4).toString('hex')}.ext4`);
    await runOk(['cp', '--sparse=always', this.disk, copy]);
    return copy;
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
      // Two processors or a thread for each take half as long again.
      ...this.#parts.kind.board,
      ...['-accel', 'tcg,thread=single', '-smp', '1', '-m', '1024'],
      ...(this.#options.hasInstructionClock === true ? ['-icount', 'shift=1'] : []),
      ...['-display', 'none', '-nodefaults', '-no-reboot', '-no-user-config'],
      ...['-kernel', this.#parts.kernel.image, '-initrd', this.#parts.kernel.initrd],
      '-append',
      `console=${this.#parts.kind.serial}0 panic=-1 quiet systemd.show_status=1 net.ifnames=0 ${this.#kernelOptions}`,
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
