import { closeSync, constants, fstatSync, openSync } from 'node:fs';

import { OperationalError } from '../errors/operational-error.js';
import { openInRoot } from '../sys/open-in-root.js';
import { openPseudoTerminal, setTerminalSize, type PseudoTerminal } from '../sys/terminal.js';

const MULTIPLEXER = '/dev/pts/ptmx';
/** The device (5, 2). */
const MULTIPLEXER_DEVICE = 0x502;
/** open(2); Node has no word for it. */
const O_PATH = 0o10000000;

/**
 * Opens a terminal of a container that runs, for callers who may not fetch it from the launcher: that lets nobody look
 * into it once it is inside. What lies at the multiplexer's place is looked at before it is opened (CVE-2025-52565).
 *
 * @throws {@link OperationalError} PROGRAM_FAILED if the container has no terminals
 */
export function openContainerTerminal(
  directory: string,
  size: { readonly height: number; readonly width: number },
): PseudoTerminal {
  const root = openSync(`${directory}/root`, constants.O_RDONLY | constants.O_DIRECTORY);
  let place: number | undefined;
  try {
    place = openInRoot(root, MULTIPLEXER, { flags: O_PATH });
    const found = fstatSync(place);
    if (!found.isCharacterDevice() || found.rdev !== MULTIPLEXER_DEVICE) {
      throw new Error(`${MULTIPLEXER} is something else`);
    }
    const terminal = openPseudoTerminal(`/proc/self/fd/${place}`);
    setTerminalSize(terminal.master, { rows: size.height, columns: size.width });
    return terminal;
  } catch (cause) {
    throw new OperationalError('PROGRAM_FAILED', 'cannot open a terminal in the container', {
      cause,
    });
  } finally {
    closeSync(root);
    if (place !== undefined) closeSync(place);
  }
}
