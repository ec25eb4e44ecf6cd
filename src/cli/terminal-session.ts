import { closeSync, read, write } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { openPseudoTerminal, setTerminalSize } from '../sys/terminal.js';

/** A terminal of its own for a program, joined to the one that the user sits at. */
export interface TerminalSession extends AsyncDisposable {
  /** What the program gets for its standard streams. */
  readonly slave: number;
  /** Ends what this process holds of it: once the program has it, or is gone. */
  closeSlave(): void;
}

/**
 * Joins a fresh terminal to the user's one: keys go there as they are (Ctrl-C is a key, not a signal), the window's size
 * follows. Disposing of it gives the user's terminal back as it was, after the last output.
 *
 * @throws OperationalError USAGE where the user has none
 */
export async function openTerminalSession(): Promise<TerminalSession> {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY)
    throw new OperationalError('USAGE', "'-t' needs a terminal for standard input and output");
  const { master, slave } = openPseudoTerminal();
  const resize = (): void => {
    setTerminalSize(master, { rows: stdout.rows, columns: stdout.columns });
  };
  const type = (keys: Buffer): void => {
    write(master, keys, () => undefined); // a program that is gone reads nothing
  };
  resize();
  stdout.on('resize', resize);
  stdin.setRawMode(true);
  stdin.on('data', type);
  const shown = showOutput(master, stdout);
  let slaveIsOpen = true;
  const closeSlave = (): void => {
    if (slaveIsOpen) closeSync(slave);
    slaveIsOpen = false;
  };
  return Promise.resolve({
    slave,
    closeSlave,
    [Symbol.asyncDispose]: async () => {
      closeSlave();
      await shown;
      stdin.off('data', type);
      stdin.setRawMode(false);
      stdin.destroy();
      stdout.off('resize', resize);
      closeSync(master);
    },
  });
}

/** Until no program has the other end any more, which Linux tells as EIO. */
async function showOutput(master: number, stdout: NodeJS.WriteStream): Promise<void> {
  const buffer = Buffer.alloc(65_536);
  for (;;) {
    const length = await new Promise<number>((resolve, reject) => {
      read(master, buffer, 0, buffer.length, null, (error, bytes) => {
        if (error === null) resolve(bytes);
        else if (isErrno(error, 'EIO')) resolve(0);
        else reject(new Error('cannot read the terminal', { cause: error }));
      });
    });
    if (length === 0) return;
    await new Promise((resolve) => stdout.write(Buffer.from(buffer.subarray(0, length)), resolve));
  }
}
