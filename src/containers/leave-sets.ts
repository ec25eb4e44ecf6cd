import { OperationalError } from '../errors/operational-error.js';
import { setNameOf } from './container-sets.js';
import type { Host } from './host.js';
import {
  beginJournal,
  findJournal,
  listJournal,
  type JournalEntry,
  type LeftEntry,
} from './journal.js';
import { lockName } from './lock-name.js';

/**
 * Takes what is about to be changed out of the entries that sets still have of it because they could not be cleared up: who
 * tries that again would undo what is changed now. Call with the locks of the names held. Gives what was taken out, for
 * {@link rejoinSets} where the change is taken back.
 *
 * @throws OperationalError BUSY if another is at work on such a set
 */
export async function leaveSets(
  host: Host,
  { name, transitions }: JournalEntry,
): Promise<readonly LeftEntry[]> {
  const taken: LeftEntry[] = [];
  const changed = new Set(transitions.map((transition) => transition.name));
  for (const label of await listJournal(host.paths)) {
    if (label === name || setNameOf(label) === undefined) continue;
    // Only of a set that it belongs to: whoever changes another one holds that lock for long.
    if ((await findLeft(host, label, changed)) === undefined) continue;
    const lock = await lockName(host, label);
    try {
      const entry = await findLeft(host, label, changed);
      if (entry === undefined) continue;
      const { staying, leaving } = entry;
      await beginJournal(host.paths, staying);
      taken.push(leaving);
    } finally {
      lock[Symbol.dispose]();
    }
  }
  return taken;
}

/**
 * Gives sets back what {@link leaveSets} took: the change never was, and what they could not clear up is still there. A set that
 * somebody works on by now is past that. May be repeated.
 */
export async function rejoinSets(host: Host, left: readonly LeftEntry[]): Promise<void> {
  for (const entry of left) {
    const lock = await lockIfFree(host, entry.name);
    if (lock === undefined) continue;
    try {
      const present = await findJournal(host.paths, entry.name);
      const known = new Set(present?.transitions.map(({ name }) => name));
      const others = entry.transitions.filter(({ name }) => !known.has(name));
      await beginJournal(host.paths, {
        ...(present ?? entry),
        transitions: [...(present?.transitions ?? []), ...others],
      });
    } finally {
      lock[Symbol.dispose]();
    }
  }
}

async function lockIfFree(host: Host, label: string): Promise<Disposable | undefined> {
  try {
    return await lockName(host, label);
  } catch (error) {
    if (error instanceof OperationalError && error.code === 'BUSY') return undefined;
    throw error;
  }
}

/** The entry of a set without what is changed, and with nothing else; undefined where there is none, or it has nothing of it. */
async function findLeft(
  host: Host,
  label: string,
  changed: ReadonlySet<string>,
): Promise<{ readonly staying: JournalEntry; readonly leaving: LeftEntry } | undefined> {
  try {
    const entry = await findJournal(host.paths, label);
    const staying = (entry?.transitions ?? []).filter(({ name }) => !changed.has(name));
    if (entry === undefined || staying.length === entry.transitions.length) return undefined;
    const leaving = entry.transitions.filter(({ name }) => changed.has(name));
    return {
      staying: { ...entry, transitions: staying },
      leaving: { ...entry, transitions: leaving },
    };
  } catch (error) {
    // A damaged entry keeps its own set from being changed, and nobody else.
    if (error instanceof OperationalError) return undefined;
    throw error;
  }
}
