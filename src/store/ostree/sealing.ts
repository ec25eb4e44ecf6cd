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
  /** Of files; undefined where it says nothing. */
  readonly sealing: Sealing | undefined;
  /** Of the roots of what is deployed, by composefs; undefined where it says nothing. */
  readonly composefs: Sealing | undefined;
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
  const take = (key: string): Sealing | undefined => {
    const value = keys.get(key);
    keys.delete(key);
    return value === undefined ? undefined : sealingOf(value);
  };
  const composefs = take('composefs');
  // Without sealed files there is no sealed root: libostree takes the one as a wish for the other, too.
  const sealing = take('fsverity') ?? (composefs === 'no' ? undefined : composefs);
  return { sealing, composefs, asksForMore: keys.size > 0 };
}

/** The stricter of two. */
export function strictest(one: Sealing, other: Sealing): Sealing {
  const order: readonly Sealing[] = ['no', 'maybe', 'yes'];
  return order.indexOf(one) > order.indexOf(other) ? one : other;
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
