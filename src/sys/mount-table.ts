import { readFileSync } from 'node:fs';

/** A mount, as proc_pid_mountinfo(5) lists it. */
export interface MountEntry {
  /** What of its file system is mounted: `/`, or the directory of a bind mount; ends with `//deleted` once that is gone. */
  readonly root: string;
  /** Where it is mounted. */
  readonly place: string;
  /** Type of the file system. */
  readonly type: string;
  /** Options of the file system, as they stand there. */
  readonly options: string;
}

/**
 * The mounts that a process sees, in the order in which they were made; this one's own unless told. Names are byte strings.
 *
 * @throws errno errors: `ENOENT` where there is no such process
 */
export function readMountTable(pid: number | 'self' = 'self'): readonly MountEntry[] {
  return parseMountTable(readFileSync(`/proc/${pid}/mountinfo`, 'latin1'));
}

/** The lines of a mountinfo; those that are none are left out. */
export function parseMountTable(text: string): readonly MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split('\n')) {
    // Of fields 7 and on there may be any number; a single dash ends them.
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root, place] = before.split(' ');
    const [type, , options = ''] = after.split(' ');
    if (root === undefined || place === undefined || type === undefined) continue;
    entries.push({ root: unescape(root), place: unescape(place), type, options });
  }
  return entries;
}

/** Blanks, tabs, line ends and backslashes are octal. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(parseInt(digits, 8)),
  );
}
