import { escapeText } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Deployment } from './deployment.js';
import { execInContainer } from './exec-in-container.js';
import type { Host } from './host.js';

/** What one run of a check command came to. The problem is one line, safe to show. */
export type CheckOutcome =
  { readonly passed: true } | { readonly passed: false; readonly problem: string };

/** Output that is kept, in bytes: programs say at the end what is wrong. */
const MAX_KEPT_BYTES = 4_096;

/** Runs the check command of a container once, in the container. */
export async function runCheck(
  host: Host,
  deployment: Deployment,
  options: {
    readonly command: readonly string[];
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
): Promise<CheckOutcome> {
  const { command, timeoutMs, signal } = options;
  let said = Buffer.alloc(0);
  try {
    const { status, timedOut, ...ended } = await execInContainer(host, deployment, {
      args: command,
      timeoutMs,
      signal,
      onOutput: (_stream, chunk) => {
        said = Buffer.concat([said, chunk]).subarray(-MAX_KEPT_BYTES);
      },
    });
    if (status === 0 && !timedOut) return { passed: true };
    const how = timedOut
      ? `its check did not end within ${timeoutMs / 1000} s`
      : status === undefined
        ? `its check died of ${ended.signal ?? 'a signal'}`
        : `its check ended with status ${status}`;
    const lastLine = said.toString('utf8').trim().split('\n').at(-1) ?? '';
    return { passed: false, problem: lastLine === '' ? how : `${how}: ${escapeText(lastLine)}` };
  } catch (error) {
    if (!(error instanceof OperationalError) || error.code !== 'CONTAINER_NOT_RUNNING') throw error;
    return { passed: false, problem: 'it runs no program that could be checked' };
  }
}
