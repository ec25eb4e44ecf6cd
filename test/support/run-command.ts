import { spawn } from 'node:child_process';

import { assertJsonAsDocumented } from './check-json.js';

/** A command that did not end in its time, and was killed. */
export class CommandOverdueError extends Error {
  override readonly name = 'CommandOverdueError';
}

/** Options of {@link runCommand}. */
export interface RunCommandOptions {
  /** Written to standard input, which is then closed; without it, standard input is /dev/null. */
  readonly input?: string | Uint8Array;
  /** The whole environment; that of the test process unless given. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** The command is killed after this; two minutes unless given. */
  readonly timeoutMs?: number;
}

/** What a command left behind. */
export interface CommandResult {
  /** Exit status, or 128 and the signal's number as shells count it. */
  readonly status: number;
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = { SIGABRT: 6, SIGKILL: 9, SIGTERM: 15 };

/** Runs a command to its end, whatever that is. A command that outlives its time fails the test. */
export async function runCommand(
  argv: readonly string[],
  options: RunCommandOptions = {},
): Promise<CommandResult> {
  const [program = '', ...args] = argv;
  const timeoutMs = options.timeoutMs ?? 120_000;
  const child = spawn(program, args, {
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk));
  child.stdin?.on('error', () => undefined); // a command that does not read its input is not a failure
  child.stdin?.end(options.input);
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort();
    child.kill('SIGKILL');
  }, timeoutMs);
  const ended = await new Promise<{ status: number | null; signal: NodeJS.Signals | null }>(
    (resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status, signal) => {
        resolve({ status, signal });
      });
    },
  ).finally(() => {
    clearTimeout(timer);
  });
  const result = {
    status: ended.status ?? 128 + (SIGNAL_NUMBERS[ended.signal ?? ''] ?? 0),
    signal: ended.signal ?? undefined,
    stdout: Buffer.concat(output).toString(),
    stderr: Buffer.concat(errors).toString(),
  };
  if (late.signal.aborted) {
    throw new CommandOverdueError(
      `'${argv.join(' ')}' did not end within ${timeoutMs} ms\n${tail(result.stdout)}\n${tail(result.stderr)}`,
    );
  }
  assertJsonAsDocumented(argv, result);
  return result;
}

/** Runs a command that has to succeed, and gives its standard output. */
export async function runOk(
  argv: readonly string[],
  options: RunCommandOptions = {},
): Promise<string> {
  const result = await runCommand(argv, options);
  if (result.status !== 0) {
    throw new Error(
      `'${argv.join(' ')}' ended with ${result.status}\n${tail(result.stdout)}\n${tail(result.stderr)}`,
    );
  }
  return result.stdout;
}

/** The end of a text, where programs say why. */
function tail(text: string): string {
  return text.slice(-4000).trimEnd();
}
