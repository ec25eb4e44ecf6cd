import { spawn } from 'node:child_process';

import { OperationalError } from '../errors/operational-error.js';
import { isErrno } from '../errors/is-errno.js';
import { escapeText, quote } from './escape-text.js';

/** Most of standard error that is kept for a message, in bytes: its end is where programs say why. */
const MAX_STDERR_TAIL_BYTES = 1024;

/** Options of {@link runProgram}. */
export interface RunProgramOptions {
  /** Stops the program when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** What it is stopped with, then and when it prints too much; SIGTERM unless given. */
  readonly killSignal?: NodeJS.Signals | undefined;
  /** Most bytes of standard output that are kept; more is a failure. 1 MiB unless given. */
  readonly maxOutputBytes?: number;
  /** Written to standard input, which is then closed; without it, standard input is /dev/null. */
  readonly input?: string | Uint8Array;
  /** Whether what it writes to descriptor 3 is kept, too: as much as of standard output. */
  readonly takesReport?: boolean;
  /** Statuses that are not a failure; 0 unless given. */
  readonly okStatuses?: readonly number[];
  /** Added to the environment, which is otherwise PATH and a C locale. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What a program left behind. */
export interface ProgramResult {
  readonly status: number;
  readonly stdout: Buffer;
  /** What came from descriptor 3; empty unless asked for. */
  readonly report: Buffer;
  /** The last {@link MAX_STDERR_TAIL_BYTES} of standard error. */
  readonly stderrTail: string;
}

/** A program that berth ran ended badly. */
export class SubprocessError extends OperationalError {
  readonly argv: readonly string[];
  readonly status: number | undefined;
  readonly stderrTail: string;

  constructor(
    argv: readonly string[],
    outcome: { status: number | undefined; how: string; stderrTail: string },
  ) {
    const lastLine = outcome.stderrTail.trim().split('\n').at(-1) ?? '';
    super(
      'PROGRAM_FAILED',
      `${argv[0] ?? ''} ${outcome.how}${lastLine === '' ? '' : `: ${escapeText(lastLine)}`}`,
    );
    this.argv = argv;
    this.status = outcome.status;
    this.stderrTail = outcome.stderrTail;
  }
}

/**
 * Runs a program of the host to its end: argument vector, no shell, fixed search path, clean environment, bounded
 * output.
 *
 * @throws {@link SubprocessError} if it ends with a status that is not in `okStatuses`, or of a signal
 * @throws {@link OperationalError} PROGRAM_MISSING if it is not installed
 */
export async function runProgram(
  argv: readonly [string, ...string[]],
  options: RunProgramOptions = {},
): Promise<ProgramResult> {
  const [program, ...args] = argv;
  const maxOutputBytes = options.maxOutputBytes ?? 1_048_576;
  const child = spawn(program, args, {
    stdio: [
      options.input === undefined ? 'ignore' : 'pipe',
      'pipe',
      'pipe',
      ...(options.takesReport === true ? (['pipe'] as const) : []),
    ],
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      LC_ALL: 'C.UTF-8',
      ...options.env,
    },
    signal: options.signal,
    killSignal: options.killSignal,
  });
  const chunks: Buffer[] = [];
  let outputBytes = 0;
  const reported: Buffer[] = [];
  let reportBytes = 0;
  let stderrTail = Buffer.alloc(0);
  child.stdout?.on('data', (chunk: Buffer) => {
    outputBytes += chunk.length;
    if (outputBytes > maxOutputBytes) child.kill(options.killSignal);
    else chunks.push(chunk);
  });
  if (options.takesReport === true) {
    child.stdio[3]?.on('data', (chunk: Buffer) => {
      reportBytes += chunk.length;
      if (reportBytes > maxOutputBytes) child.kill(options.killSignal);
      else reported.push(chunk);
    });
  }
  child.stderr?.on('data', (chunk: Buffer) => {
    stderrTail = Buffer.concat([stderrTail, chunk]).subarray(-MAX_STDERR_TAIL_BYTES);
  });
  child.stdin?.on('error', () => undefined); // a program that does not read its input is not a failure
  child.stdin?.end(options.input);
  const ended = await new Promise<{ status: number | null; signal: string | null }>(
    (resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status, signal) => {
        resolve({ status, signal });
      });
    },
  ).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT', 'EACCES')) {
      throw new OperationalError(
        'PROGRAM_MISSING',
        `cannot run ${quote(program)}: it is not installed`,
        {
          cause: error,
        },
      );
    }
    throw error;
  });
  const tail = stderrTail.toString('utf8');
  if (outputBytes > maxOutputBytes || reportBytes > maxOutputBytes) {
    throw new SubprocessError(argv, {
      status: undefined,
      how: 'printed more than expected',
      stderrTail: tail,
    });
  }
  if (ended.status === null) {
    throw new SubprocessError(argv, {
      status: undefined,
      how: `ended of ${ended.signal ?? 'a signal'}`,
      stderrTail: tail,
    });
  }
  if (!(options.okStatuses ?? [0]).includes(ended.status)) {
    throw new SubprocessError(argv, {
      status: ended.status,
      how: `failed with status ${ended.status}`,
      stderrTail: tail,
    });
  }
  return {
    status: ended.status,
    stdout: Buffer.concat(chunks),
    report: Buffer.concat(reported),
    stderrTail: tail,
  };
}
