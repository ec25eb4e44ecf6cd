import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

import { escapeText } from '../../base/escape-text.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { Host } from '../host.js';
import { runInStopped } from '../run-in-stopped.js';
import { findStoredImage } from '../find-stored-image.js';
import { withFreshContainer, type FreshRequest } from '../with-fresh-container.js';
import type { Scanner, ScanType } from './parse-scanner.js';

/** What {@link runScanner} runs, and on what. */
export interface ScannerRun {
  readonly scanner: Scanner;
  readonly scan: ScanType;
  /** Words after those of the configuration. */
  readonly args: readonly string[];
  /** Folder with the roots. */
  readonly input: string;
  /** Folder for the results. */
  readonly output: string;
  /** How its image is pulled. */
  readonly pull: Omit<FreshRequest, 'reference' | 'binds'>;
  /** Gets what the scanner says, line by line, safe to show. */
  readonly onLine: (line: string) => void;
}

/** A line that is longer is told in pieces: a scanner that never ends one does not fill the memory. */
const MAX_LINE_CHARACTERS = 4_096;

/** The environment of a program of the host. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Runs a scanner to its end: an image in a container for once, with the roots at `/scanin` and a place for results at
 * `/scanout`, or a program of the host that finds both in `$SCANIN` and `$SCANOUT`.
 *
 * @throws {@link OperationalError} SCAN_FAILED if it ends badly; CANCELLED; what pulling and installing its image throws
 */
export async function runScanner(host: Host, run: ScannerRun): Promise<void> {
  let last = '';
  const onLine = (line: string): void => {
    if (line !== '') last = line;
    run.onLine(line);
  };
  const { runs } = run.scanner;
  const status =
    runs.kind === 'image'
      ? await runImage(host, { run, reference: runs.reference, onLine })
      : await runCommand(host, { run, argv: runs.argv, onLine });
  if (status === 0) return;
  host.signal.throwIfAborted();
  throw new OperationalError(
    'SCAN_FAILED',
    `the scanner ${run.scanner.name} ended with status ${status}${last === '' ? '' : `: ${last}`}`,
  );
}

async function runImage(
  host: Host,
  {
    run,
    reference,
    onLine,
  }: {
    readonly run: ScannerRun;
    readonly reference: string;
    readonly onLine: (line: string) => void;
  },
): Promise<number> {
  const binds = [
    ...run.scanner.binds,
    { source: run.input, destination: '/scanin', readOnly: true },
    { source: run.output, destination: '/scanout', readOnly: false },
  ];
  return withFreshContainer(host, { ...run.pull, reference, binds }, async (fresh) => {
    const image = await findStoredImage(host, fresh.deployment.image.digest);
    const entrypoint = image?.config.process.entrypoint ?? [];
    return runInStopped(host, fresh.deployment, {
      args: [...entrypoint, ...run.scan.args, ...run.args],
      oneRun: fresh.oneRun,
      tty: false,
      stdio: ['ignore', 'pipe', 'pipe'],
      onStart: (child) => {
        watch(host, child, onLine);
      },
    });
  });
}

async function runCommand(
  host: Host,
  {
    run,
    argv,
    onLine,
  }: {
    readonly run: ScannerRun;
    readonly argv: readonly string[];
    readonly onLine: (line: string) => void;
  },
): Promise<number> {
  const [program = '', ...words] = [...argv, ...run.scan.args, ...run.args];
  const child = spawn(program, words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: '/',
    env: { PATH, LC_ALL: 'C.UTF-8', SCANIN: run.input, SCANOUT: run.output },
  });
  watch(host, child, onLine);
  const ended = (await once(child, 'close').catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT', 'EACCES', 'ENOEXEC')) throw error;
    const message = `cannot run the scanner '${escapeText(program)}': it is no program`;
    throw new OperationalError('PROGRAM_MISSING', message, { cause: error });
  })) as [number | null, string | null];
  return ended[0] ?? 128;
}

/** Tells what a scanner says, and ends it when the command is interrupted. */
function watch(host: Host, child: ChildProcess, onLine: (line: string) => void): void {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.setEncoding('utf8');
    stream?.on('data', (text: string) => {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_LINE_CHARACTERS) {
        lines.push(rest);
        rest = '';
      }
      for (const line of lines) onLine(escapeText(line.replace(/\r$/, ''), MAX_LINE_CHARACTERS));
    });
    stream?.on('end', () => {
      if (rest !== '') onLine(escapeText(rest, MAX_LINE_CHARACTERS));
    });
  }
  const stop = (): void => void child.kill('SIGTERM');
  host.signal.addEventListener('abort', stop, { once: true });
  child.once('close', () => {
    host.signal.removeEventListener('abort', stop);
  });
}
