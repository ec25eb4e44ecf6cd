import { catalogue, type ErrorCode } from './catalogue.js';
import type { ExitStatus } from './exit-status.js';

/** What a throw site may add to a code and a message. */
export interface OperationalErrorOptions {
  /** What the user can do about it: one sentence; a command in it can be pasted. */
  readonly hint?: string | undefined;
  /** The error below. */
  readonly cause?: unknown;
}

/**
 * A failure that is not a bug: the user, the network, an image or the system can cause it. Bugs are plain `Error`s and
 * print a stack.
 */
export class OperationalError extends Error {
  override readonly name: string = 'OperationalError';
  /** Stable name of the problem; part of berth's interface. */
  readonly code: ErrorCode;
  /** What the user can do about it, if anything is known. */
  readonly hint: string | undefined;
  /** Failures of the clean-up that followed; they never replace the first error. */
  readonly suppressed: unknown[] = [];

  constructor(code: ErrorCode, message: string, options: OperationalErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }

  /** The status to exit with; follows from the code. */
  get exitStatus(): ExitStatus {
    return catalogue[this.code].exitStatus;
  }
}
