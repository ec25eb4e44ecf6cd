import { spawn, type ChildProcess } from 'node:child_process';

import { printed } from './launched-container.js';
import { probeProgram } from './probe-program.js';

/** What stands where systemd's notification socket does. */
export class NotifySink implements Disposable {
  readonly #child: ChildProcess;
  #text = '';

  private constructor(path: string) {
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
    return [...this.#text.matchAll(/^message pid=(\d+) fds=(\d+) (.*)$/gm)].map(
      ([, pid, fds, text]) => ({ pid: Number(pid), fds: Number(fds), text: text ?? '' }),
    );
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}
