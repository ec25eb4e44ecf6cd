import { closeSync, constants, readFileSync, writeSync } from 'node:fs';

import { quote } from '../../base/escape-text.js';
import { OperationalError } from '../../errors/operational-error.js';
import { openAt, unlinkAt } from '../../sys/at.js';
import { sealFile } from '../../sys/fs-verity.js';
import type { Sealing } from '../object-writer.js';

/*
 * fs-verity: the files of images are sealed in the repository, and so in checkouts, which have the same files. What a repository is
 * to hold says the section of its configuration that libostree (2023.1 and later) goes by.
 */

const SECTION = 'ex-integrity';

/** What a repository's configuration says of integrity. */
export interface IntegrityConfig {
  /** Undefined where it says nothing. */
  readonly sealing: Sealing | undefined;
  /** Whether it asks for more than berth knows, which libostree has to do. */
  readonly asksForMore: boolean;
}

/** Reads `ex-integrity` of a repository's configuration (a key file of GLib's). */
export function readIntegrity(configPath: string): IntegrityConfig {
  const keys = new Map<string, string>();
  let section = '';
  for (const line of readFileSync(configPath, 'utf8').split('\n')) {
    const header = /^\[(.*)\]\s*$/.exec(line)?.[1];
    if (header !== undefined) section = header;
    const [, key, value] = /^\s*([^#=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (section === SECTION && key !== undefined && value !== undefined) keys.set(key, value);
  }
  const sealing = keys.get('fsverity');
  keys.delete('fsverity');
  return {
    sealing: sealing === undefined ? undefined : sealingOf(sealing),
    asksForMore: keys.size > 0,
  };
}

/** As libostree reads it (`_ostree_parse_tristate`); what it does not know it refuses when it opens the repository. */
function sealingOf(value: string): Sealing {
  if (value === 'maybe') return 'maybe';
  return ['yes', 'true', '1'].includes(value) ? 'yes' : 'no';
}

/** The lines of a configuration that ask for sealing. */
export function integritySection(sealing: Sealing): string {
  return sealing === 'no' ? '' : `\n[${SECTION}]\nfsverity=${sealing}\n`;
}

/**
 * Makes sure, before anything is taken in, that files can be sealed.
 *
 * @throws `OperationalError` STORE_UNSUITABLE
 */
export function assertCanSeal(tempFd: number, root: string): void {
  const probe = { dirFd: tempFd, name: 'probe' };
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  const fd = openAt(probe, flags, 0o600);
  try {
    writeSync(fd, 'probe');
  } finally {
    closeSync(fd);
  }
  try {
    if (sealFile(probe)) return;
  } finally {
    unlinkAt(probe);
  }
  throw new OperationalError(
    'STORE_UNSUITABLE',
    `${quote(root)} is to be sealed, and its file system or the kernel has no fs-verity`,
    {
      hint: "ext4 has it after 'tune2fs -O verity DEVICE'; 'maybe' does without where it is not there",
    },
  );
}
