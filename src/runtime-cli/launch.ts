import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, writeFileSync, unlinkSync } from 'node:fs';
import type { Duplex } from 'node:stream';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { launcherProgram } from './launcher-program.js';

/** The first descriptor after the standard ones. */
const FIRST_FD = 3;
/** Longest that the launcher's side of the conversation may get: a few lines, and messages. */
const MAX_TALK_CHARACTERS = 65_536;

/** What the launcher says, line by line: first which process it is, then what that has reached; the rest are messages. */
const PROCESS = /^(pid|unmapped) (\d+)$/;
const REACHED = /^(mounted|terminal|listener|created) (-?\d+)$/;

/** How a plan is carried out. */
export interface LaunchOptions {
  readonly launcher: string;
  /** Makes the plan, once it is known which descriptors there will be. */
  readonly plan: (descriptors: LaunchDescriptors) => Buffer;
  /** Where a file may be made for a moment; root's alone. */
  readonly folder: string;
  /** Descriptors of ours that the program gets, from 3 on. */
  readonly keep: readonly number[];
  /** A held process whose namespaces the plan joins. */
  readonly process?: number | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Standard input, output and error; the runtime's own unless given. */
  readonly stdio?: readonly (number | 'ignore')[] | undefined;
  /**
   * Runs a copy that nobody can change: a launcher without rights cannot protect itself from a container that finds it
   * in /proc (CVE-2019-5736).
   */
  readonly sealed?: boolean;
  /** A process waits in a user namespace that is to be given its maps. */
  readonly onUnmapped?: (pid: number) => Promise<void>;
  /** The process is there, and does nothing before this is done. */
  readonly onProcess: (pid: number) => void | Promise<void>;
  /** It waits before its root is in place (`mounted`), or with a descriptor that somebody else is to have. */
  readonly onStop: (stop: {
    readonly at: string;
    readonly pid: number;
    readonly fd: number;
  }) => void | Promise<void>;
  /** What the launcher cannot do and goes on without. */
  readonly onWarning: (warning: string) => void;
}

/** Numbers of descriptors as the launcher has them. */
export interface LaunchDescriptors {
  /** The socket of the conversation. */
  readonly control: number;
  /** How many descriptors from 3 on are the program's. */
  readonly kept: number;
  /** {@link LaunchOptions.process}. */
  readonly process: number;
}

/** A process that was launched. */
export interface Launched {
  readonly pid: number;
  /** The launcher: it has ended if the plan says that it does not stay. */
  readonly launcher: ChildProcess;
  /** How the launcher ends. */
  readonly ended: Promise<{
    readonly status: number | null;
    readonly signal: NodeJS.Signals | null;
  }>;
}

/**
 * Runs the launcher on a plan that talks to us, until the program runs or waits to be started.
 *
 * @throws {@link OperationalError} PROGRAM_FAILED with the launcher's message
 */
export async function launch(options: LaunchOptions): Promise<Launched> {
  const control = FIRST_FD + options.keep.length;
  const descriptors = { control, kept: options.keep.length, process: control + 2 };
  const plan = unnamedFile(options.folder, options.plan(descriptors));
  const stdio = [
    ...(options.stdio ?? [0, 1, 2]),
    ...options.keep,
    'pipe' as const,
    plan,
    ...(options.process === undefined ? [] : [options.process]),
  ];
  let child: ChildProcess;
  try {
    using program = launcherProgram(options, stdio.length);
    child = spawn(program.file, [`/proc/self/fd/${control + 1}`], {
      argv0: program.argv0,
      env: options.env,
      stdio: [...stdio, ...program.descriptors],
    });
  } finally {
    closeSync(plan);
  }
  const ended = new Promise<{ status: number | null; signal: NodeJS.Signals | null }>(
    (resolve, reject) => {
      child.once('error', (cause) => {
        reject(
          new OperationalError(
            'LAUNCHER_MISSING',
            `cannot run the launcher ${quote(options.launcher)}`,
            { cause },
          ),
        );
      });
      child.once('exit', (status, signal) => {
        resolve({ status, signal });
      });
    },
  );
  const talk = converse(child.stdio[control] as Duplex, options);
  ended.catch(() => undefined); // the conversation tells it
  const pid = await Promise.race([talk, ended.then(() => talk)]);
  return { pid, launcher: child, ended };
}

/**
 * Follows what the process says, up to its start or to the end of the conversation. The first line with a number is that
 * of the process, and no later one: messages hold texts of images, and no number in them may lead to another process.
 */
async function converse(socket: Duplex, options: LaunchOptions): Promise<number> {
  let pid = 0;
  const messages: string[] = [];
  try {
    for await (const line of linesOf(socket)) {
      const [, what, number] = pid === 0 ? (PROCESS.exec(line) ?? []) : (REACHED.exec(line) ?? []);
      if (what === 'created') break;
      if (what === undefined) {
        messages.push(line);
        continue;
      }
      if (what === 'pid') await options.onProcess((pid = Number(number)));
      else if (what === 'unmapped') await options.onUnmapped?.(Number(number));
      else await options.onStop({ at: what, pid, fd: Number(number) });
      socket.write('.');
    }
  } finally {
    socket.destroy();
  }
  const failure = messages.find((message) => message.startsWith('berth: cannot start '));
  if (failure !== undefined || pid === 0) {
    throw new OperationalError('PROGRAM_FAILED', messageOf(failure));
  }
  for (const warning of messages) options.onWarning(warning.replace(/^berth: /, ''));
  return pid;
}

function messageOf(failure: string | undefined): string {
  const reason = failure?.replace(/^berth: cannot start .*?: (?=[a-z ]+ ')/, '');
  return `unable to start container process: ${reason ?? 'the launcher ended early'}`;
}

async function* linesOf(socket: Duplex): AsyncGenerator<string> {
  let text = '';
  let length = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_TALK_CHARACTERS)
      throw new Error('internal error: the launcher talks too much');
    const lines = (text + chunk.toString('utf8')).split('\n');
    text = lines.pop() ?? '';
    yield* lines;
  }
  if (text !== '') yield text;
}

/** A descriptor for a file without a name: nothing is left behind, whatever happens. */
export function unnamedFile(folder: string, content: Uint8Array): number {
  const path = `${folder}/.plan-${process.pid}-${process.hrtime.bigint()}`;
  writeFileSync(path, content, { mode: 0o600, flag: 'wx' });
  try {
    return openSync(path, 'r');
  } finally {
    unlinkSync(path);
  }
}
