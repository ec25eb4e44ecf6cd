import { CommanderError } from 'commander';

import { escapeText } from '../base/escape-text.js';
import { readableStack } from '../base/readable-stack.js';
import { catalogue } from '../errors/catalogue.js';
import { describeErrno } from '../errors/describe-errno.js';
import { ExitStatus } from '../errors/exit-status.js';
import { firstError } from '../errors/first-error.js';
import { OperationalError } from '../errors/operational-error.js';
import { findSpelling } from './atomic-spellings.js';
import { journalLines } from './output/journal-lines.js';
import { placedHint, type Place } from './output/placed-hint.js';

/** How an error is shown. */
export interface ReportOptions {
  readonly stderr: { write(text: string): unknown };
  /** Of this process: whether the lines go to the journal. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** One JSON object instead of lines. */
  readonly json: boolean;
  /** Stacks too. */
  readonly debug: boolean;
  /** The command that was typed, if one was: whose help a usage error points to. */
  readonly command?: string | undefined;
  /** The command line, to tell what stands in the place of a word that atomic(1) took. */
  readonly args?: readonly string[] | undefined;
  /** Whose containers it is about: the commands that a hint names are about those, too. */
  readonly place?: Place | undefined;
}

/** Deepest chain of causes that is shown; a longer one says nothing more to a person. */
const MAX_CAUSES = 8;

/** Longest message in characters: an error may quote a long path, but not a whole document. */
const MAX_MESSAGE_CHARACTERS = 2000;

/** Prints an error (what, to what, why, what to do) and gives the status to exit with. The only place that does. */
export function reportError(thrown: unknown, options: ReportOptions): ExitStatus {
  const error = firstError(thrown);
  const described = placed(describe(error, options), options);
  if (options.json) {
    const { code, message, hint, causes } = described;
    options.stderr.write(`${JSON.stringify({ error: { code, message, hint, causes } })}\n`);
    return described.status;
  }
  const lines = [`berth: ${described.message}`];
  for (const cause of described.causes) lines.push(`  because: ${cause}`);
  if (described.hint !== undefined)
    lines.push(`hint: ${escapeText(described.hint, MAX_MESSAGE_CHARACTERS)}`);
  if ((options.debug || described.code === 'INTERNAL') && error instanceof Error) {
    lines.push(readableStack(error) ?? '');
  }
  options.stderr.write(journalLines(`${lines.join('\n')}\n`, 'error', options.env));
  return described.status;
}

function placed(described: Description, { place = {} }: ReportOptions): Description {
  const { hint } = described;
  if (hint === undefined) return described;
  return { ...described, hint: placedHint(hint, place) };
}

interface Description {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly causes: readonly string[];
  readonly status: ExitStatus;
}

function describe(error: unknown, { command, args }: ReportOptions): Description {
  if (error instanceof CommanderError) {
    const ofAtomic = hintOfAtomic(error, { command, args });
    return {
      code: 'USAGE',
      message:
        error.code === 'commander.help'
          ? 'no command was given'
          : escapeText(messageOf(error, ofAtomic !== undefined), MAX_MESSAGE_CHARACTERS),
      hint: ofAtomic ?? `see 'berth ${command === undefined ? '' : `${command} `}--help'`,
      causes: [],
      status: ExitStatus.usage,
    };
  }
  if (error instanceof OperationalError) {
    return {
      code: error.code,
      message: escapeText(error.message, MAX_MESSAGE_CHARACTERS),
      hint: error.hint,
      causes: causesOf(error),
      status: error.exitStatus,
    };
  }
  const systemCall = describeErrno(error);
  if (systemCall !== undefined)
    return {
      ...systemCall,
      message: escapeText(systemCall.message, MAX_MESSAGE_CHARACTERS),
      causes: [],
      status: catalogue[systemCall.code].exitStatus,
    };
  return {
    code: 'INTERNAL',
    message: `internal error: ${escapeText(error instanceof Error ? error.message : String(error), MAX_MESSAGE_CHARACTERS)}`,
    hint: 'this is a bug in berth; please report it with the lines below',
    causes: error instanceof Error ? causesOf(error) : [],
    status: ExitStatus.internal,
  };
}

/** What commander says; what it takes for meant is left out where something else is known to be. */
function messageOf({ message }: CommanderError, isOfAtomic: boolean): string {
  const text = message.replace(/^error: /, '').replace(/\n/g, ' ');
  return isOfAtomic ? text.replace(/ \(Did you mean .*\?\)$/, '') : text;
}

/** An unknown option or command may be one of atomic's. */
function hintOfAtomic(
  { code, message }: CommanderError,
  { command, args = [] }: Pick<ReportOptions, 'command' | 'args'>,
): string | undefined {
  if (code !== 'commander.unknownOption' && code !== 'commander.unknownCommand') return undefined;
  const [, unknown = ''] = /'([^']*)'/.exec(message) ?? [];
  const from = command === undefined ? args : args.slice(args.indexOf(command));
  const words = from.filter((arg) => !arg.startsWith('-'));
  const spelling = findSpelling(words, unknown);
  return spelling === undefined ? undefined : `atomic took it; here ${spelling}`;
}

/** Whether a message says of the same file what the system call below it says (`open 'PATH': no such file or folder`). */
function tells(message: string, systemCall: string): boolean {
  const [, path = '', words = ''] = /('[^']+'): (.+)$/.exec(systemCall) ?? [];
  if (path === '' || !message.includes(path)) return false;
  return (
    message.includes(words) ||
    (words.startsWith('no such') && /there is no|is not installed/.test(message))
  );
}

function causesOf(error: Error): string[] {
  const causes: string[] = [];
  for (
    let cause = error.cause;
    cause instanceof Error && causes.length < MAX_CAUSES;
    cause = cause.cause
  ) {
    if (cause.name === 'AbortError') continue; // Node's word for the interruption that the message tells of
    const systemCall = describeErrno(cause)?.message;
    const text = escapeText(systemCall ?? cause.message, MAX_MESSAGE_CHARACTERS);
    const before = causes.at(-1) ?? escapeText(error.message, MAX_MESSAGE_CHARACTERS);
    if (before !== text && !(systemCall !== undefined && tells(before, text))) causes.push(text);
  }
  return causes;
}
