import { accessSync, constants, readFileSync } from 'node:fs';

/** Ids that are known in a user namespace. */
export interface IdRange {
  readonly first: number;
  readonly count: number;
}

/**
 * A caller without the rights of the host's root: `namespace` is root of a user namespace that somebody has made around
 * it (rootless podman), `user` an ordinary user, who is root only of a namespace that is made for the container.
 */
export interface ConfinedCaller {
  readonly kind: 'namespace' | 'user';
  readonly uid: number;
  readonly gid: number;
  /** As the host's services know it: the other end of a socket sees this one. */
  readonly hostUid: number;
  /** Ids that are there to be used. An ordinary user has those of his namespace, and may not use them all. */
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
  /** Whether the namespace lets its processes change their groups. */
  readonly setgroups: boolean;
  /** Whether states and scopes are the user's own: a system in a user namespace has a /run that is its root's. */
  readonly isRootless: boolean;
}

/** A start without the rights of the host's root. */
export interface LaunchConfinement {
  /** Root of a user namespace that is there already, or an ordinary user, who is root only of the container's own. */
  readonly kind: 'namespace' | 'user';
  /** Whether the groups of the caller stay: Linux lets nobody change them in a namespace of one user. */
  readonly keepGroups: boolean;
  /** Whether the launcher maps the user's one id by itself; else whoever runs it gives the namespace its maps. */
  readonly mapsItself?: boolean;
}

/** What of /proc/self tells who calls. */
export interface CallerFacts {
  readonly uid: number;
  readonly gid: number;
  readonly uidMap: string;
  readonly gidMap: string;
  readonly setgroups: string;
  /** Whether this process may make files in /run. */
  readonly ownsRun: boolean;
}

/** The ids that the kernel has: a namespace that maps them all is the first one. */
const ALL_IDS = 0xffff_ffff;

/** Judges who calls; undefined is root of the host. */
export function judgeCaller(facts: CallerFacts): ConfinedCaller | undefined {
  const isFirst = /^\s*0\s+0\s+4294967295\s*$/.test(facts.uidMap);
  if (isFirst && facts.uid === 0) return undefined;
  return {
    kind: facts.uid === 0 ? 'namespace' : 'user',
    uid: facts.uid,
    gid: facts.gid,
    hostUid: outside(facts.uidMap, facts.uid),
    uids: rangesOf(facts.uidMap),
    gids: rangesOf(facts.gidMap),
    setgroups: facts.setgroups.trim() !== 'deny',
    isRootless: facts.uid !== 0 || !facts.ownsRun,
  };
}

/** Looks who calls (user_namespaces(7)); undefined is root of the host. */
export function findCaller(): ConfinedCaller | undefined {
  const read = (name: string): string => readFileSync(`/proc/self/${name}`, 'utf8');
  return judgeCaller({
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    uidMap: read('uid_map'),
    gidMap: read('gid_map'),
    setgroups: read('setgroups'),
    ownsRun: isWritable('/run'),
  });
}

/** Whether an id is in one of the ranges. */
export function isMapped(ranges: readonly IdRange[], id: number): boolean {
  return ranges.some(({ first, count }) => id >= first && id < first + count);
}

function linesOf(map: string): readonly (readonly [number, number, number])[] {
  return map.split('\n').flatMap((line) => {
    const [inside, from, count] = line.trim().split(/\s+/).map(Number);
    return inside === undefined || from === undefined || count === undefined
      ? []
      : [[inside, from, Math.min(count, ALL_IDS)] as const];
  });
}

function rangesOf(map: string): readonly IdRange[] {
  return linesOf(map).map(([first, , count]) => ({ first, count }));
}

function outside(map: string, id: number): number {
  const line = linesOf(map).find(([first, , count]) => id >= first && id < first + count);
  return line === undefined ? id : line[1] + (id - line[0]);
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
