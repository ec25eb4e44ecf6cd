import type { Host } from '../containers/host.js';
import { OperationalError } from '../errors/operational-error.js';
import { CommandExit } from './command-exit.js';
import type { CliContext, CommonOptions } from './context.js';
import { reportError } from './report-error.js';

/** The command that {@link forEachName} runs for. */
interface Call {
  readonly context: CliContext;
  readonly options: CommonOptions;
  readonly host: Host;
  /**
   * Given where nobody named the names: one that is gone when its turn comes is passed over, with a line that says so.
   */
  readonly isGone?: ((name: string) => Promise<boolean>) | undefined;
  /** What was done first, for the same names and others: what failed there counts in the end. */
  readonly before?: Pick<EachResult<unknown>, 'worst'> | undefined;
}

/**
 * Runs `body` for every name, also after one has failed: its error is printed at once, and the command ends with the
 * highest status of all. Gives what was got for the others; call {@link EachResult.end} when that has been printed.
 */
export async function forEachName<T>(
  call: Call,
  names: readonly string[],
  body: (name: string) => Promise<T>,
): Promise<EachResult<T>> {
  const results: T[] = [];
  let worst = call.before?.worst ?? 0;
  const isAlone = names.length === 1 && worst === 0;
  for (const name of names) {
    try {
      results.push(await body(name));
    } catch (error) {
      if (await wentMeanwhile(call, name, error)) {
        const text = `${name} is not there any more, passing over it`;
        call.host.onEvent({ kind: 'step', text });
        continue;
      }
      // One that was asked for alone, and what was interrupted, ends the command as ever.
      if (isAlone || call.host.signal.aborted) throw error;
      const { stderr, env } = call.context.host;
      const { json, debug } = call.options;
      const status = reportError(error, {
        stderr,
        env,
        json: json === true,
        debug: debug === true,
        place: call.options,
      });
      worst = Math.max(worst, status);
    }
  }
  return {
    results,
    worst,
    end: () => {
      if (worst !== 0) throw new CommandExit(worst);
    },
  };
}

/**
 * Runs `body` once for those of the names that are installed, instances among them, where doing it for all at once is quicker; of the
 * others it is told as {@link forEachName} does it. No names are all containers.
 */
export async function forInstalled<T>(
  call: Call,
  names: readonly string[],
  body: (names: readonly string[]) => Promise<readonly T[]>,
): Promise<Pick<EachResult<T>, 'results' | 'end'>> {
  if (names.length === 0) return { results: await body([]), end: () => undefined };
  const { findService } = await import('../containers/find-service.js');
  const installed = await forEachName(call, names, async (name) => {
    await findService(call.host, name);
    return name;
  });
  const found = installed.results;
  return {
    results: found.length === 0 ? [] : await body(found),
    end: () => {
      installed.end();
    },
  };
}

/** Another command may be at work on it still when this one comes to it, and done when it is asked. */
async function wentMeanwhile({ isGone }: Call, name: string, error: unknown): Promise<boolean> {
  if (!(error instanceof OperationalError)) return false;
  if (!['CONTAINER_NOT_FOUND', 'SET_NOT_FOUND', 'BUSY'].includes(error.code)) return false;
  // What cannot be read is there.
  return isGone !== undefined && (await isGone(name).catch(() => false));
}

/** What {@link forEachName} gives. */
export interface EachResult<T> {
  readonly results: readonly T[];
  /** The status of the worst failure; 0 without one. */
  readonly worst: number;
  /** Ends the command with that status, if there was one. */
  end(): void;
}
