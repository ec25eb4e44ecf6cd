import { readFileSync } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import { readOwnLimits, type OwnLimits } from './own-limits.js';

/** An ordinary user, whose own service manager runs the container. */
export interface ServiceUser {
  readonly uid: number;
  readonly gid: number;
  /** What his services get at most. */
  readonly limits: OwnLimits;
  /** The controllers that his service manager was given; undefined where that is not known. */
  readonly controllers?: readonly string[];
}

/** By its place among control groups a user's service manager is known, and what was delegated to it. */
const MANAGER = /^0::(\/.*\/user@\d+\.service)(?:\/|$)/m;

/** Looks who calls: the user of whom this process is. */
export function findServiceUser(): ServiceUser {
  const place = MANAGER.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  const uid = process.geteuid?.() ?? 0;
  const controllers = readControllers(place ?? `/user.slice/user-${uid}.slice/user@${uid}.service`);
  return {
    uid,
    gid: process.getegid?.() ?? 0,
    limits: readOwnLimits(),
    ...(controllers === undefined ? {} : { controllers }),
  };
}

function readControllers(place: string): readonly string[] | undefined {
  try {
    const text = readFileSync(`/sys/fs/cgroup${place}/cgroup.controllers`, 'utf8');
    return text.split(/\s+/).filter((name) => name !== '');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined;
    throw error;
  }
}
