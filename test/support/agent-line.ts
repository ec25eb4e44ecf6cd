import type { ChildProcess } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import type { CommandResult } from './run-command.js';

/** The machine is gone or does not answer: its line was cut, its kernel faulted, or it was silent for too long. */
export class MachineGoneError extends Error {}

/** What {@link AgentLine.connect} watches while it waits. */
export interface ConnectOptions {
  readonly qemu: ChildProcess;
  /** Whether the kernel has said on the console that it cannot go on. */
  readonly faulted: () => boolean;
  readonly timeoutMs: number;
}

/** The line to the agent in a machine: a script goes in, one line with its end comes out. */
export class AgentLine {
  readonly #socket: Socket;
  #text = '';
  #number = 0;
  #waiting: ((line: string) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined); // the machine went; what waits for an answer has its own time limit
    socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1');
      this.#deliver();
    });
  }

  /** Connects to qemu's end and waits for the agent to say that it is there. */
  static async connect(path: string, options: ConnectOptions): Promise<AgentLine> {
    const end = Date.now() + options.timeoutMs;
    for (;;) {
      if (options.qemu.exitCode !== null) {
        throw new Error(`qemu ended with ${options.qemu.exitCode}`);
      }
      const socket = await connected(path);
      if (socket !== undefined) {
        const line = new AgentLine(socket);
        const watch = setInterval(() => {
          if (options.faulted()) socket.destroy();
        }, 500);
        try {
          while ((await line.#next(end - Date.now())) !== 'ready');
          return line;
        } catch (error) {
          socket.destroy();
          throw error;
        } finally {
          clearInterval(watch);
        }
      }
      if (Date.now() > end) throw new MachineGoneError('qemu does not listen');
      await delay(20);
    }
  }

  /**
   * Runs a shell script to its end.
   *
   * @throws {@link MachineGoneError} if the line is cut or the answer does not come in time
   */
  async run(script: string, timeoutMs: number): Promise<CommandResult> {
    const number = String(++this.#number);
    const end = Date.now() + timeoutMs;
    this.#socket.write(`${number} ${Buffer.from(script).toString('base64')}\n`);
    for (;;) {
      const line = await this.#next(end - Date.now());
      const answer = /^(\d+) (\d+) \.(\S*) \.(\S*)$/.exec(line);
      // Not the answer: the agent was started again and says 'ready', or a script that was given up has ended.
      if (answer?.[1] !== number) continue;
      const [, , status, output, errors] = answer;
      return {
        status: Number(status),
        signal: undefined,
        stdout: Buffer.from(output ?? '', 'base64').toString(),
        stderr: Buffer.from(errors ?? '', 'base64').toString(),
      };
    }
  }

  /** Whether the other end still holds the line. */
  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  close(): void {
    this.#socket.destroy();
  }

  async #next(timeoutMs: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const gone = (why: string): void => {
        this.#waiting = undefined;
        reject(new MachineGoneError(why));
      };
      if (this.#socket.destroyed) {
        gone('the line to the machine was cut');
        return;
      }
      const closed = (): void => {
        clearTimeout(timer);
        gone('the line to the machine was cut');
      };
      const timer = setTimeout(
        () => {
          this.#socket.off('close', closed);
          gone('the machine did not answer in time');
        },
        Math.max(timeoutMs, 1),
      );
      this.#socket.once('close', closed);
      this.#waiting = (line) => {
        clearTimeout(timer);
        this.#socket.off('close', closed);
        resolve(line);
      };
      this.#deliver();
    });
  }

  #deliver(): void {
    const end = this.#text.indexOf('\n');
    const waiting = this.#waiting;
    if (end < 0 || waiting === undefined) return;
    const line = this.#text.slice(0, end).replace(/\r$/, '');
    this.#text = this.#text.slice(end + 1);
    this.#waiting = undefined;
    waiting(line);
  }
}

/** A socket to a listening path, or undefined if nobody listens there yet. */
async function connected(path: string): Promise<Socket | undefined> {
  const socket = connect(path);
  return new Promise((resolve) => {
    socket.once('connect', () => {
      resolve(socket);
    });
    socket.once('error', () => {
      resolve(undefined);
    });
  });
}
