import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { cacheFolder, projectRoot } from '../support/cache-folder.js';
import {
  CommandOverdueError,
  type CommandResult,
  runCommand,
  runOk,
} from '../support/run-command.js';

/** What a supervised command is watched for, and what happens to it. At most one of kill, fail and hold. */
export interface Supervision {
  /** Folders in which calls count, as the command sees them. */
  readonly roots: readonly string[];
  readonly exceptions?: readonly string[];
  /** Whether what goes to the bus and to systemd counts, too. */
  readonly bus?: boolean;
  /** The only calls that count; all that change something unless given. */
  readonly calls?: readonly string[];
  /** Whether calls that only read count, too. */
  readonly reads?: boolean;
  /** Kills the whole tree of processes on entry to the call of this number, counted from 1. */
  readonly killAt?: number;
  /** Kills it on entry to the first call of that name about a place with that text in its path. */
  readonly killAtPlace?: { readonly call: string; readonly place: string };
  /** Makes calls fail without being carried out; with `none` for the errno, they are told to have been. */
  readonly fail?: { readonly from: number; readonly to: number; readonly errno: string };
  /** Holds it on entry to the call of this number until `meanwhile` has ended. */
  readonly hold?: { readonly at: number; meanwhile(): Promise<void> };
  /** How long the command may take; it is killed then, with all that it started. Two minutes unless given. */
  readonly limitMs?: number;
}

const FIRED = ['no', 'killed', 'failed', 'paused'] as const;

const DEFAULT_LIMIT_MS = 120_000;

/** One call that counted. */
export interface SupervisedCall {
  readonly number: number;
  readonly call: string;
  /** What it is about, as paths; `bus` for a socket of the bus. */
  readonly places: readonly string[];
}

/** How a supervised command ended. */
export interface Supervised extends CommandResult {
  readonly calls: readonly SupervisedCall[];
  /**
   * Whether what was asked for came about. A kill that did not is no test. `overdue` is a command that did not end in its
   * time: one run of many that fails, and no reason to give up the others.
   */
  readonly fired: (typeof FIRED)[number] | 'overdue';
}

/** Environment that makes the order of Node's calls repeatable: one thread makes those that do not run in the main one. */
export const REPEATABLE: Readonly<Record<string, string | undefined>> = {
  PATH: process.env['PATH'],
  HOME: '/root',
  UV_THREADPOOL_SIZE: '1',
  UV_USE_IO_URING: '0',
};

/** Runs a command under the supervisor (supervisor/supervisor.h) to its end. No process of it is left then. */
export async function supervise(
  argv: readonly string[],
  supervision: Supervision,
  options: { readonly env?: Readonly<Record<string, string | undefined>> } = {},
): Promise<Supervised> {
  const program = await supervisorProgram();
  const folder = mkdtempSync(join(tmpdir(), 'berth-supervised-'));
  try {
    const log = join(folder, 'log');
    const command = [program, ...switches(supervision), '--log', log, '--', ...argv];
    const env = options.env ?? REPEATABLE;
    const { hold } = supervision;
    const result =
      hold === undefined
        ? await runCommand(command, { env, timeoutMs: supervision.limitMs ?? DEFAULT_LIMIT_MS })
        : await runHeld(command, {
            ...{ env, log, timeoutMs: supervision.limitMs ?? DEFAULT_LIMIT_MS },
            meanwhile: () => hold.meanwhile(),
          });
    return { ...result, ...parseLog(readFileSync(log, 'utf8'), result) };
  } catch (error) {
    if (!(error instanceof CommandOverdueError)) throw error;
    const stderr = error.message;
    return { status: 137, signal: 'SIGKILL', stdout: '', stderr, calls: [], fired: 'overdue' };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What stands in the log while the command is held. */
const HELD = 'paused';

async function runHeld(
  [program = '', ...argv]: readonly string[],
  options: {
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly log: string;
    readonly timeoutMs: number;
    meanwhile(): Promise<void>;
  },
): Promise<CommandResult> {
  const child = spawn(program, argv, { env: options.env, stdio: 'pipe' });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const state = { running: true, overdue: false };
  const timer = setTimeout(() => {
    state.overdue = true;
    child.kill('SIGKILL'); // the supervisor's processes end with it
  }, options.timeoutMs);
  void ended.then(() => {
    state.running = false;
    clearTimeout(timer);
  });
  const isHeld = (): boolean =>
    existsSync(options.log) && readFileSync(options.log, 'utf8').endsWith(`${HELD}\n`);
  while (state.running && !isHeld()) await delay(5);
  try {
    if (state.running) await options.meanwhile();
  } finally {
    child.stdin.end('\n');
  }
  const [status, signal] = await ended;
  if (state.overdue)
    throw new CommandOverdueError(`'${argv.join(' ')}' did not end within ${options.timeoutMs} ms`);
  return {
    status: status ?? 128,
    signal: signal ?? undefined,
    stdout: Buffer.concat(out).toString(),
    stderr: Buffer.concat(err).toString(),
  };
}

function switches(supervision: Supervision): readonly string[] {
  const { fail, hold, killAt, killAtPlace, calls } = supervision;
  return [
    ...supervision.roots.flatMap((root) => ['--root', root]),
    ...(supervision.exceptions ?? []).flatMap((folder) => ['--except', folder]),
    ...(supervision.bus === true ? ['--bus'] : []),
    ...(supervision.reads === true ? ['--reads'] : []),
    ...(calls === undefined ? [] : ['--calls', calls.join(',')]),
    ...(killAt === undefined ? [] : ['--kill', String(killAt)]),
    ...(hold === undefined ? [] : ['--pause', String(hold.at)]),
    ...(killAtPlace === undefined
      ? []
      : ['--kill-call', killAtPlace.call, '--kill-place', killAtPlace.place]),
    ...(fail === undefined
      ? []
      : ['--fail', `${fail.from}-${Number.isFinite(fail.to) ? fail.to : 0}=${fail.errno}`]),
  ];
}

function parseLog(text: string, result: CommandResult): Pick<Supervised, 'calls' | 'fired'> {
  const lines = text
    .trimEnd()
    .split('\n')
    .filter((line) => line !== HELD);
  const [, , end] = lines.pop()?.split('\t') ?? [];
  const fired = FIRED.find((each) => each === end);
  if (fired === undefined) {
    throw new Error(`the supervisor ended with ${result.status}: ${result.stderr}`);
  }
  const calls = lines.map((line) => {
    const [number, call = '', ...places] = line.split('\t');
    return { number: Number(number), call, places };
  });
  return { calls, fired };
}

let building: Promise<string> | undefined;

function supervisorProgram(): Promise<string> {
  building ??= buildSupervisor();
  return building;
}

/** Compiled on first use; kept under the digest of its sources. */
async function buildSupervisor(): Promise<string> {
  const folder = join(projectRoot, 'test/torture/supervisor');
  const sources = readdirSync(folder).sort();
  const hash = createHash('sha256');
  for (const name of sources) hash.update(readFileSync(join(folder, name)));
  const path = join(cacheFolder('supervisor'), hash.digest('hex').slice(0, 16));
  if (existsSync(path)) return path;
  const temporary = `${path}.${process.pid}`;
  const files = sources.filter((name) => name.endsWith('.c')).map((name) => join(folder, name));
  await runOk([
    ...['cc', '-std=gnu17', '-O2', '-Wall', '-Wextra', '-Werror'],
    ...['-o', temporary, ...files],
  ]);
  renameSync(temporary, path);
  return path;
}
