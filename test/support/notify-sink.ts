import { spawn, type ChildProcess } from 'node:child_process';

import { printed } from './launched-container.js';
import { probeProgram } from './probe-program.js';
import { runOk } from './run-command.js';
import { waitUntil } from './wait-until.js';

/** What stands where systemd's notification socket does. */
export class NotifySink implements Disposable {
  readonly #child: ChildProcess;
  readonly #path: string;
  #text = '';
  #marks = 0;

  private constructor(path: string) {
    this.#path = path;
    this.#child = spawn(probeProgram(), ['receive', path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.#text += chunk.toString()));
  }

  /** Binds the socket. */
  static async open(path: string): Promise<NotifySink> {
    const sink = new NotifySink(path);
    await printed(sink.#child, 'bound');
    return sink;
  }

  /** What came so far: who sent it, how many descriptors came with it, and its lines with `|` between. */
  get messages(): readonly { readonly pid: number; readonly fds: number; readonly text: string }[] {
    return [...this.#text.matchAll(/^message pid=(\d+) fds=(\d+) (.*)$/gm)]
      .map(([, pid, fds, text]) => ({ pid: Number(pid), fds: Number(fds), text: text ?? '' }))
      .filter(({ text }) => !/^X_MARK=\d+$/.test(text));
  }

  /** Waits until all that was sent so far is in {@link NotifySink.messages}: a word of its own, which is left out there, is. */
  async settle(): Promise<void> {
    const mark = `X_MARK=${++this.#marks}`;
    const [program, ...words] = [probeProgram(), 'notify', mark];
    await runOk([program, ...words], { env: { NOTIFY_SOCKET: this.#path } });
    await waitUntil(mark, () => this.#text.endsWith(`${mark}\n`));
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}
