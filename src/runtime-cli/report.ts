import { appendFileSync, writeSync } from 'node:fs';

import { escapeText } from '../base/escape-text.js';
import { readableStack } from '../base/readable-stack.js';
import { describeErrno } from '../errors/describe-errno.js';
import { firstError } from '../errors/first-error.js';
import { OperationalError } from '../errors/operational-error.js';

/** Where messages go: runc's `--log`, `--log-format` and `--debug`. */
export interface LogOptions {
  /** A file to append to; standard error unless given. */
  readonly path: string | undefined;
  readonly format: 'text' | 'json';
  readonly debug: boolean;
}

/** Longest message in characters: engines keep it, and show it. */
const MAX_MESSAGE_CHARACTERS = 4000;

/** The level of a line, in logrus's words, which is what engines parse. */
export type LogLevel = 'debug' | 'info' | 'warning' | 'error';

/**
 * Writes one line the way runc does. Written with a system call each, never through a stream: a stream would make the
 * descriptor non-blocking, and the container has the same one.
 */
export function logLine(options: LogOptions, level: LogLevel, message: string): void {
  if (level === 'debug' && !options.debug) return;
  const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const text = escapeText(message, MAX_MESSAGE_CHARACTERS);
  const line =
    options.format === 'json'
      ? `${JSON.stringify({ level, msg: text, time })}\n`
      : `time=${JSON.stringify(time)} level=${level} msg=${JSON.stringify(text)}\n`;
  if (options.path === undefined) writeSync(2, line);
  else appendFileSync(options.path, line, { mode: 0o600 });
}

/** Reports a failure: to the log, and as a plain line to standard error where the log is a file. */
export function reportFailure(options: LogOptions, thrown: unknown): void {
  const message = messageOf(thrown, options.debug);
  if (options.path === undefined) {
    logLine(options, 'error', message);
    return;
  }
  const complain = (text: string): void => {
    writeSync(2, `berth-runtime: ${escapeText(text, MAX_MESSAGE_CHARACTERS)}\n`);
  };
  try {
    logLine(options, 'error', message);
  } catch (error) {
    complain(`cannot write the log: ${messageOf(error, false)}`);
  }
  complain(message);
}

function messageOf(thrown: unknown, debug: boolean): string {
  const error = firstError(thrown);
  if (!(error instanceof Error)) return String(error);
  const systemCall = describeErrno(error);
  const isBug = !(error instanceof OperationalError) && systemCall === undefined;
  return isBug || debug ? (readableStack(error) ?? error.message) : (systemCall ?? error).message;
}
