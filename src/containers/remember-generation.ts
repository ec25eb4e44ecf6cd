import { readNameLink } from './container-directory.js';
import { findSet, setNameOf, writeSet } from './container-sets.js';
import type { Host } from './host.js';
import type { JournalEntry } from './journal.js';

/**
 * Notes which deployment each member of a set had before a change of the set, once the change has come to its end: where
 * rolling the set back goes. Does nothing for a change of one container. May be repeated.
 */
export async function rememberGeneration(host: Host, entry: JournalEntry): Promise<void> {
  const name = setNameOf(entry.name);
  const set = name === undefined ? undefined : await findSet(host.paths, name);
  if (set === undefined || entry.operation === 'undo') return;
  const previous = new Map<string, number>();
  for (const member of set.members) {
    const transition = entry.transitions.find((candidate) => candidate.name === member);
    const number = transition?.from?.number ?? (await presentNumber(host, member));
    if (number !== undefined) previous.set(member, number);
  }
  if (JSON.stringify([...previous]) === JSON.stringify([...set.previous])) return;
  await writeSet(host.paths, { ...set, previous });
}

async function presentNumber(host: Host, name: string): Promise<number | undefined> {
  const directory = await readNameLink(host.paths, name);
  return directory === undefined ? undefined : Number(directory.slice(name.length + 1));
}
