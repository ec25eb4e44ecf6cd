import {
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { quote } from '../../base/escape-text.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { ControlFile } from './control-file.js';

/** Some files of a cgroup cannot be read, and none is made by writing to it. */
const WRITE_ONLY = constants.O_WRONLY as unknown as string;

/** Deepest tree of cgroups that a container may have made: the kernel has no limit of its own. */
const MAX_DEPTH = 256;

/**
 * Writes control files below the directories of their controllers, in order.
 *
 * @throws {@link OperationalError} RUNTIME_UNSUPPORTED if the file is not there: the kernel or the host has no such
 * limit; RUNTIME_CONFIG_INVALID if the kernel refuses the value; CGROUP_FAILED
 */
export function writeControlFiles(
  files: readonly ControlFile[],
  directoryOf: (controller: string) => string | undefined,
): void {
  for (const entry of files) {
    const directory = directoryOf(entry.controller);
    if (directory === undefined) unsupported(entry);
    const { file, value } = existing(directory, entry);
    try {
      writeValue(join(directory, file), value);
    } catch (error) {
      throw toOperational(error, entry, file);
    }
  }
}

function existing(directory: string, entry: ControlFile): { file: string; value: string } {
  if (existsSync(join(directory, entry.file))) return entry;
  const { otherwise } = entry;
  if (otherwise === undefined || !existsSync(join(directory, otherwise.file))) unsupported(entry);
  return otherwise;
}

function unsupported({ member, file }: ControlFile): never {
  throw new OperationalError(
    'RUNTIME_UNSUPPORTED',
    `linux.resources.${member}: this host has no ${file} for a cgroup`,
  );
}

function toOperational(error: unknown, entry: ControlFile, file: string): unknown {
  if (isErrno(error, 'EINVAL', 'ERANGE', 'ENODEV', 'EBUSY', 'EOPNOTSUPP', 'ENXIO')) {
    return new OperationalError(
      'RUNTIME_CONFIG_INVALID',
      `linux.resources.${entry.member}: the kernel refuses ${quote(entry.value)} for ${file} (${String(error.code)})`,
      { cause: error },
    );
  }
  return new OperationalError('CGROUP_FAILED', `cannot write ${file} of the cgroup`, {
    cause: error,
  });
}

/** Writes in one call, as the kernel wants it. */
export function writeValue(path: string, value: string): void {
  writeFileSync(path, value, { flag: WRITE_ONLY });
}

/** What a file says; undefined if there is none. */
export function readValue(directory: string, file: string): string | undefined {
  try {
    return readFileSync(join(directory, file), 'utf8').trim();
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP', 'ENOTDIR', 'EINVAL')) return undefined;
    throw error;
  }
}

/** The cgroup and all below it, the deepest first. */
export function cgroupTree(directory: string, depth = 0): readonly string[] {
  let names: readonly string[];
  try {
    names = readdirSync(directory, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
  if (depth > MAX_DEPTH) {
    throw new OperationalError('LIMIT_EXCEEDED', `cgroups are nested deeper than ${MAX_DEPTH}`);
  }
  return [...names.flatMap((name) => cgroupTree(join(directory, name), depth + 1)), directory];
}

/** The processes of one cgroup, without those below. */
export function processesOf(directory: string, file = 'cgroup.procs'): readonly number[] {
  const text = readValue(directory, file) ?? '';
  return text.split('\n').flatMap((line) => (line === '' ? [] : [Number(line)]));
}

/** Takes cgroups away, the deepest first; those that are gone are passed over. False while processes are in there. */
export function removeCgroups(directories: readonly string[]): boolean {
  for (const directory of directories) {
    try {
      rmdirSync(directory);
    } catch (error) {
      if (isErrno(error, 'EBUSY', 'ENOTEMPTY')) return false;
      if (!isErrno(error, 'ENOENT')) {
        throw new OperationalError('CGROUP_FAILED', 'cannot take the cgroup away', {
          cause: error,
        });
      }
    }
  }
  return true;
}
