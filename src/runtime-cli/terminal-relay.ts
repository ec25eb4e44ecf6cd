import { closeSync, createReadStream, createWriteStream, type ReadStream } from 'node:fs';
import { ReadStream as TerminalInput } from 'node:tty';
import { setTimeout as delay } from 'node:timers/promises';

import { setTerminalSize } from '../sys/terminal.js';

/** What the program wrote last may still be on its way when it ends. */
const LAST_OUTPUT_MS = 50;

/** Our own standard streams as the other side of a container's terminal, for a program in the foreground. */
export class TerminalRelay implements Disposable {
  #terminal: number | undefined;
  #output: ReadStream | undefined;
  #isRaw = false;

  /** Takes the terminal's other end, and closes it in the end. */
  take(terminal: number): void {
    this.#terminal = terminal;
  }

  /** Begins to pass on in both directions. Does nothing where there is no terminal. */
  begin(): void {
    const terminal = this.#terminal;
    if (terminal === undefined) return;
    this.#resize();
    process.on('SIGWINCH', this.#resize);
    const { stdin } = process;
    if (stdin instanceof TerminalInput) {
      stdin.setRawMode(true);
      this.#isRaw = true;
    }
    const input = createWriteStream('', { fd: terminal, autoClose: false });
    input.on('error', () => undefined); // what is typed after the program's end is read by nobody
    stdin.on('data', (chunk: Buffer) => void input.write(chunk));
    this.#output = createReadStream('', { fd: terminal, autoClose: false });
    this.#output.on('data', (chunk) => void process.stdout.write(chunk));
    this.#output.on('error', () => undefined); // EIO: the other side has closed the terminal
  }

  /** Waits for the last output. */
  async drain(): Promise<void> {
    if (this.#terminal !== undefined) await delay(LAST_OUTPUT_MS);
  }

  [Symbol.dispose](): void {
    if (this.#terminal === undefined) return;
    process.off('SIGWINCH', this.#resize);
    if (this.#isRaw) (process.stdin as TerminalInput).setRawMode(false);
    process.stdin.destroy();
    // A stream closes its descriptor when it is destroyed, whatever it was told of that.
    if (this.#output === undefined) closeSync(this.#terminal);
    else this.#output.destroy();
    this.#terminal = undefined;
  }

  readonly #resize = (): void => {
    if (this.#terminal === undefined || !process.stdout.isTTY) return;
    const [columns, rows] = process.stdout.getWindowSize();
    setTerminalSize(this.#terminal, { rows, columns });
  };
}
