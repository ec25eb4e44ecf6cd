import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { storageDaemonCommand } from '../../support/emulator.js';
import { runOk } from '../../support/run-command.js';
import { type LoggedRequest, parseBlockLog, SECTOR_BYTES } from './block-log.js';
import type { CrashState } from './crash-states.js';
import type { FileSystemKind } from './file-systems.js';

/**
 * A disk whose every request is written down, so that it can be put together again as it was at any of them. qemu's
 * storage daemon shows it as a file through FUSE; a loop device makes a disk of that. All is in memory. Its three
 * images: `base` is what it holds when logging begins, `work` is what the command runs on, `state` is what a power cut
 * left.
 */
export class LoggedDisk implements AsyncDisposable {
  readonly #folder: string;
  readonly #kind: FileSystemKind;
  #daemon: ChildProcess | undefined;
  #isMounted = false;

  private constructor(kind: FileSystemKind, folder: string) {
    this.#kind = kind;
    this.#folder = folder;
  }

  /**
   * Makes the disk with a file system on it, in a folder where nothing is; `prepare` fills it, and nothing of that is
   * logged. The folder has to be in a mount namespace that nobody copies: a copy keeps the file system mounted.
   */
  static async make(
    kind: FileSystemKind,
    folder: string,
    prepare: (folder: string) => Promise<void>,
  ): Promise<LoggedDisk> {
    const disk = new LoggedDisk(kind, folder);
    try {
      await disk.#make(prepare);
      return disk;
    } catch (error) {
      await disk[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where the file system is mounted. */
  get folder(): string {
    return join(this.#folder, 'mounted');
  }

  async #make(prepare: (folder: string) => Promise<void>): Promise<void> {
    await runOk(['mount', '-t', 'tmpfs', '-o', 'mode=700,size=4g', 'berth-test', this.#folder]);
    mkdirSync(this.folder);
    await runOk(['truncate', `--size=${this.#kind.sizeMb}M`, this.#image('base')]);
    await runOk([...this.#kind.make, this.#image('base')]);
    await this.#mount('base', this.#kind.mountOptions);
    await prepare(this.folder);
    await this.unmount();
  }

  /**
   * Runs `body` on the mounted and logged disk, and takes it down.
   *
   * `mark` gives the place in the log that has been reached: requests that end at or before it were made before.
   */
  async log(body: (mark: () => number) => Promise<void>): Promise<readonly LoggedRequest[]> {
    await runOk(['cp', '--sparse=always', this.#image('base'), this.#image('work')]);
    const log = join(this.#folder, 'log');
    writeFileSync(log, '');
    writeFileSync(this.#image('shown'), '');
    await this.#startDaemon(log);
    await this.#mount('shown', this.#kind.mountOptions);
    await runOk(['sync', '--file-system', this.folder]);
    await body(() => statSync(log).size);
    await this.unmount();
    await this.#stopDaemon();
    return parseBlockLog(readFileSync(log));
  }

  /** Mounts what a power cut left, its journal replayed. Unmounted by {@link unmount}. */
  async mountState(requests: readonly LoggedRequest[], state: CrashState): Promise<void> {
    await runOk(['cp', '--sparse=always', this.#image('base'), this.#image('state')]);
    const file = openSync(this.#image('state'), 'r+');
    const apply = (index: number, sectors?: number): void => {
      const request = requests[index];
      if (request === undefined || request.isFlush) return;
      const data = request.data ?? Buffer.alloc(request.sectors * SECTOR_BYTES);
      writeSync(
        file,
        sectors === undefined ? data : data.subarray(0, sectors * SECTOR_BYTES),
        0,
        null,
        request.sector * SECTOR_BYTES,
      );
    };
    try {
      for (let index = 0; index < state.whole; index++) apply(index);
      for (const index of state.also)
        apply(index, index === state.also.at(-1) ? state.tornSectors : undefined);
    } finally {
      closeSync(file);
    }
    await this.#mount('state', this.#kind.replayOptions);
  }

  async unmount(): Promise<void> {
    await runOk(['umount', this.folder]);
    this.#isMounted = false;
  }

  async #mount(image: 'base' | 'shown' | 'state', options: string): Promise<void> {
    await runOk(['mount', '-o', `loop,${options}`, this.#image(image), this.folder]);
    this.#isMounted = true;
  }

  #image(name: 'base' | 'work' | 'shown' | 'state'): string {
    return join(this.#folder, name);
  }

  async #startDaemon(log: string): Promise<void> {
    const daemon = spawn(
      'setpriv',
      [
        ...['--pdeathsig', 'KILL', ...(await storageDaemonCommand())],
        ...['--blockdev', `driver=file,node-name=disk,filename=${this.#image('work')}`],
        ...['--blockdev', `driver=file,node-name=log,filename=${log}`],
        '--blockdev',
        // The number of requests is written down after each of them.
        'driver=blklogwrites,node-name=logged,file=disk,log=log,log-append=off,log-super-update-interval=1',
        '--export',
        `type=fuse,id=shown,node-name=logged,mountpoint=${this.#image('shown')},writable=on`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let errors = '';
    daemon.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    this.#daemon = daemon;
    while (statSync(this.#image('shown')).size === 0) {
      if (daemon.exitCode !== null) throw new Error(`the storage daemon ended: ${errors}`);
      await delay(10);
    }
  }

  async #stopDaemon(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined) return;
    daemon.kill('SIGTERM');
    if (daemon.exitCode === null && daemon.signalCode === null) await once(daemon, 'close');
    this.#daemon = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isMounted) await this.unmount();
    await this.#stopDaemon();
    await runOk(['umount', this.#folder]);
  }
}
