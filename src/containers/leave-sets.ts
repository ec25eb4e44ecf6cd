import { OperationalError } from '../errors/operational-error.js';
import { setNameOf } from './container-sets.js';
import type { Host } from './host.js';
import { beginJournal, findJournal, listJournal, type JournalEntry } from './journal.js';
import { lockName } from './lock-name.js';

/**
 * Takes what is about to be changed out of the entries that sets still have of it because they could not be cleared up: who
 * tries that again would undo what is changed now. Call with the locks of the names held.
 *
 * @throws OperationalError BUSY if another is at work on such a set
 */
export async function leaveSets(host: Host, { name, transitions }: JournalEntry): Promise<void> {
  const changed = new Set(transitions.map((transition) => transition.name));
  for (const label of await listJournal(host.paths)) {
    if (label === name || setNameOf(label) === undefined) continue;
    // Only of a set that it belongs to: whoever changes another one holds that lock for long.
    if ((await findLeft(host, label, changed)) === undefined) continue;
    const lock = await lockName(host, label);
    try {
      const left = await findLeft(host, label, changed);
      if (left !== undefined) await beginJournal(host.paths, left);
    } finally {
      lock[Symbol.dispose]();
    }
  }
}

/** The entry of a set without what is changed; undefined where there is none, or it has nothing of it. */
async function findLeft(
  host: Host,
  label: string,
  changed: ReadonlySet<string>,
): Promise<JournalEntry | undefined> {
  try {
    const entry = await findJournal(host.paths, label);
    const staying = (entry?.transitions ?? []).filter(({ name }) => !changed.has(name));
    if (entry === undefined || staying.length === entry.transitions.length) return undefined;
    return { ...entry, transitions: staying };
  } catch (error) {
    // A damaged entry keeps its own set from being changed, and nobody else.
    if (error instanceof OperationalError) return undefined;
    throw error;
  }
}
