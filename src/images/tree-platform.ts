import { closeSync, constants, openSync, readSync } from 'node:fs';

import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import type { Platform } from '../oci/platform.js';
import { openInRoot } from '../sys/open-in-root.js';
import { readHostPlatform } from './host-platform.js';

/*
 * Whoever makes an image of a machine does so on another one, and that may have another processor. What the tree is for is
 * seen from its programs: none of them is run.
 */

/** What starts the services of a tree, and what few trees are without. */
const PROGRAMS = ['/usr/lib/systemd/systemd', '/lib/systemd/systemd', '/bin/sh'];

/** `e_machine` of elf.h in Go's words. */
const MACHINES: ReadonlyMap<number, string> = new Map([
  [3, '386'],
  [21, 'ppc64le'],
  [22, 's390x'],
  [40, 'arm'],
  [62, 'amd64'],
  [183, 'arm64'],
  [243, 'riscv64'],
  [258, 'loong64'],
]);

const ELF_MAGIC = Buffer.from('\x7fELF', 'latin1');
const BIG_ENDIAN = 2;
const DATA_AT = 5;
const MACHINE_AT = 18;
const HEADER_BYTES = 20;

/** What images have to be made for: this machine, or the tree that is worked on, as far as it shows. */
export function readPlatformOf(paths: Pick<HostPaths, 'root'>): Platform {
  const own = readHostPlatform();
  const architecture = findForeignArchitecture(paths);
  return architecture === undefined ? own : { os: own.os, architecture };
}

/** The architecture of the tree that is worked on, in Go's words; undefined where that is this machine's, or does not show. */
export function findForeignArchitecture({ root }: Pick<HostPaths, 'root'>): string | undefined {
  if (root === '') return undefined;
  const architecture = findTreeArchitecture(root);
  return architecture === readHostPlatform().architecture ? undefined : architecture;
}

function findTreeArchitecture(root: string): string | undefined {
  const rootFd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (const program of PROGRAMS) {
      const found = readHeader(() =>
        openInRoot(rootFd, program, { flags: constants.O_RDONLY | constants.O_NONBLOCK }),
      );
      if (found !== undefined) return found;
    }
    return undefined;
  } finally {
    closeSync(rootFd);
  }
}

/** The architecture that a program is for, in Go's words; undefined where nothing is there, or no program. */
export function architectureOf(program: string): string | undefined {
  return readHeader(() => openSync(program, constants.O_RDONLY | constants.O_NONBLOCK));
}

function readHeader(open: () => number): string | undefined {
  let fd: number | undefined;
  try {
    fd = open();
    const header = Buffer.alloc(HEADER_BYTES);
    readSync(fd, header, 0, HEADER_BYTES, 0);
    if (!header.subarray(0, ELF_MAGIC.length).equals(ELF_MAGIC)) return undefined;
    const isBigEndian = header[DATA_AT] === BIG_ENDIAN;
    return MACHINES.get(
      isBigEndian ? header.readUInt16BE(MACHINE_AT) : header.readUInt16LE(MACHINE_AT),
    );
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EISDIR', 'ENXIO', 'ESPIPE'))
      return undefined;
    throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
