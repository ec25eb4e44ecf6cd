import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { isErrno } from '../../src/errors/is-errno.js';
import { compileLaunchPlan } from '../../src/runtime/compile-launch-plan.js';
import type {
  CompiledLaunch,
  LaunchPlanOptions,
  MountPoint,
} from '../../src/runtime/launch-plan.js';
import { projectRoot } from './cache-folder.js';
import { probeProgram } from './probe-program.js';
import { runCommand, type CommandResult } from './run-command.js';
import { runtimeConfig, type ConfigChanges } from './runtime-config.js';
import { TempDir } from './temp-dir.js';

/** The launcher that the build made. */
export const launcher = join(projectRoot, 'dist/launcher/launch');

/** A deployment with the probe as its program: compiled and launched as systemd would, without systemd. */
export class ContainerBed implements Disposable {
  /** On a plain path: tests look for places by this name in the root too, where /dev and /run are mounted over. */
  readonly #directory = new TempDir('/var/tmp');
  readonly rootfs = join(this.#directory.path, 'rootfs');
  readonly plan = join(this.#directory.path, 'launch.plan');

  constructor() {
    for (const folder of ['tmp', 'etc', 'run', 'var/lib']) {
      mkdirSync(join(this.rootfs, folder), { recursive: true });
    }
    copyFileSync(probeProgram(), join(this.rootfs, 'probe'));
    writeFileSync(
      join(this.rootfs, 'etc/passwd'),
      'root:x:0:0::/root:/x\nweb:x:33:34::/srv/web:/x\n',
    );
    writeFileSync(join(this.rootfs, 'etc/group'), 'root:x:0:\nweb:x:34:\nlog:x:40:web\n');
  }

  /** A path beside the root. */
  path(name: string): string {
    return join(this.#directory.path, name);
  }

  /** A directory of the host to bind. */
  hostDirectory(name: string): string {
    mkdirSync(this.path(name), { recursive: true });
    return this.path(name);
  }

  /** Compiles a config whose program is the probe with these words, makes the mount points, and writes the plan. */
  compile(
    words: readonly string[],
    changes: ConfigChanges = {},
    options: Partial<LaunchPlanOptions> = {},
  ): CompiledLaunch {
    const config = runtimeConfig({
      ...changes,
      process: { args: ['/probe', ...words], ...changes.process },
    });
    const compiled = compileLaunchPlan(config, { name: 'probe', rootfs: this.rootfs, ...options });
    writeFileSync(this.plan, compiled.plan);
    chmodSync(this.plan, 0o644);
    for (const point of compiled.mountPoints) this.#makeMountPoint(point);
    return compiled;
  }

  /** By a plain path: where a link of the image makes that stumble, the launcher still has to answer. */
  #makeMountPoint(point: MountPoint): void {
    const place = join(this.rootfs, point.path);
    const source = statSync(point.source ?? '/', { throwIfNoEntry: false });
    const directory =
      point.kind === 'directory' || (point.kind === 'like-source' && source?.isFile() !== true);
    try {
      mkdirSync(directory ? place : dirname(place), { recursive: true });
      if (!directory) writeFileSync(place, '');
    } catch (error) {
      if (!isErrno(error, 'EEXIST', 'ENOENT', 'ENOTDIR')) throw error;
    }
  }

  /** Launches what was compiled last, to its end. */
  launch(
    env: Readonly<Record<string, string>> = {},
    args: readonly string[] = [],
  ): Promise<CommandResult> {
    return runCommand([launcher, this.plan, ...args], { env, timeoutMs: 20_000 });
  }

  /** Compiles and launches; a program that does not end with 0 fails the test. Gives what it printed, by lines. */
  async run(
    words: readonly string[],
    changes: ConfigChanges = {},
    options: Partial<LaunchPlanOptions> = {},
  ): Promise<readonly string[]> {
    this.compile(words, changes, options);
    const { status, stdout, stderr } = await this.launch();
    if (status !== 0) throw new Error(`the container ended with ${status}: ${stderr}${stdout}`);
    return stdout.trimEnd().split('\n');
  }

  /** Launches what was compiled last and leaves it running. */
  start(
    env: Readonly<Record<string, string>> = {},
    stdio: StdioOptions = ['ignore', 'pipe', 'pipe'],
  ): ChildProcess {
    return spawn(launcher, [this.plan], { env: { ...env }, stdio });
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}

/** Waits until a program has printed a line. */
export function printed(child: ChildProcess, line: string): Promise<void> {
  let text = '';
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes(line)) resolve();
    });
    child.once('exit', () => {
      reject(new Error(`ended without printing ${line}: ${text}`));
    });
  });
}

/** Waits for the end of a program, and of its output. */
export function ended(
  child: ChildProcess,
): Promise<{ status: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve) => {
    child.once('close', (status, signal) => {
      resolve({ status, signal });
    });
  });
}
