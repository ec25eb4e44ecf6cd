import { escapeText } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { UnhealthyError } from './bring-up.js';
import { completeTransition, type CompleteOptions } from './complete-transition.js';
import type { Host } from './host.js';
import { beginJournal, type JournalEntry } from './journal.js';
import { invert } from './transition.js';

/**
 * Takes transitions back that cannot or must not come to their end: the inverse of each is carried out, whatever was
 * done of them. An image that was not well is remembered as such. Goes on where the command was interrupted: undoing
 * runs to its end.
 */
export async function takeBack(
  host: Host,
  entry: JournalEntry,
  options: CompleteOptions & { readonly error?: unknown } = { atBoot: false },
): Promise<void> {
  const calm: Host = { ...host, signal: new AbortController().signal };
  const { error } = options;
  const undo: JournalEntry = {
    ...entry,
    operation: 'undo',
    purge: false,
    watch: false,
    transitions: entry.transitions.map((transition) => {
      const isCause = error instanceof UnhealthyError && error.container === transition.name;
      return invert(transition, isCause ? escapeText(error.message) : undefined);
    }),
  };
  // From here on a kill leads back, not on. A disk too full to say so still has room to remove things.
  await beginJournal(host.paths, undo).catch(() => undefined);
  await completeTransition(calm, undo, options);
}

/** {@link takeBack} after a failure that the user is told: a second one does not replace it. */
export async function takeBackAfter(
  host: Host,
  entry: JournalEntry,
  error: unknown,
): Promise<void> {
  host.onEvent({ kind: 'step', text: `Taking back the ${entry.operation} of ${entry.name}` });
  try {
    await takeBack(host, entry, { atBoot: false, error });
    // Who pressed Ctrl-C would else not know which version is there now.
    for (const { name, from } of entry.transitions) {
      const how = from === undefined ? 'not installed' : `at deployment ${from.number} again`;
      host.onEvent({ kind: 'step', text: `${name} is ${how}` });
    }
  } catch (second) {
    // The journal entry is still there: the next command on this name, or `berth recover`, tries again.
    if (error instanceof OperationalError) error.suppressed.push(second);
    host.onEvent({
      kind: 'warning',
      text: `taking back the ${entry.operation} of '${entry.name}' failed, too: ${second instanceof Error ? second.message : String(second)}; run 'berth recover'`,
    });
  }
}
