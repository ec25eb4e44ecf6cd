import { createConnection, type Socket } from 'node:net';

import { decodeMessage, messageLength, PREFIX_BYTES, type ArrivedMessage } from './wire-message.js';

/** Longest line of the other side before messages begin: `OK` and a number of 32 digits. */
const MAX_LINE_BYTES = 1024;

/** Who is told what comes over a {@link WireConnection}. */
export interface WireListener {
  onMessage(message: ArrivedMessage): void;
  /** No more will come; called once, and not after {@link WireConnection.close}. */
  onLost(why: string, cause: unknown): void;
}

/**
 * A connection to a message bus: says who we are (D-Bus Specification, "Authentication Protocol", EXTERNAL: the other side asks the
 * kernel), and gives messages as they arrive. Messages may be sent at once: they follow the greeting, and the other side works on
 * them while we do something else. One that does not let us in reads none of them.
 */
export class WireConnection {
  readonly #socket: Socket;
  readonly #listener: WireListener;
  #isReady = false;
  #isClosed = false;
  #chunks: Buffer[] = [];
  #length = 0;
  #wanted = 1;

  /** `uid` is ours as the other side sees it: outside of a user namespace that is another one. */
  constructor(path: string, listener: WireListener, uid = process.getuid?.() ?? 0) {
    this.#listener = listener;
    this.#socket = createConnection(path);
    this.#socket.on('data', (chunk) => {
      this.#receive(chunk);
    });
    this.#socket.on('error', (error) => {
      this.#lose(error.message, error);
    });
    this.#socket.on('close', () => {
      this.#lose('the connection was closed', undefined);
    });
    const who = Buffer.from(String(uid)).toString('hex');
    this.#socket.write(`\0AUTH EXTERNAL ${who}\r\nBEGIN\r\n`);
  }

  /** `onSent` is called when the message is on its way, or never will be. */
  send(message: Buffer, onSent?: () => void): void {
    this.#socket.write(message, onSent);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    try {
      while (!this.#isClosed && this.#length >= this.#wanted) {
        if (!(this.#isReady ? this.#takeMessage() : this.#takeLine())) return;
      }
    } catch (error) {
      this.#lose(error instanceof Error ? error.message : String(error), error);
    }
  }

  /** The only line that is answered by going on: everything else is a refusal. */
  #takeLine(): boolean {
    const bytes = this.#join();
    const end = bytes.indexOf('\r\n');
    if (end < 0 && bytes.length <= MAX_LINE_BYTES) {
      this.#wanted = this.#length + 1;
      return false;
    }
    const line = bytes.toString('latin1', 0, end < 0 ? MAX_LINE_BYTES : end);
    if (end < 0 || !line.startsWith('OK ')) throw new Error(`it does not let us in: ${line}`);
    this.#drop(end + 2);
    this.#isReady = true;
    this.#wanted = PREFIX_BYTES;
    return true;
  }

  #takeMessage(): boolean {
    const bytes = this.#join();
    const length = messageLength(bytes);
    if (bytes.length < length) {
      this.#wanted = length;
      return false;
    }
    this.#drop(length);
    this.#wanted = PREFIX_BYTES;
    this.#listener.onMessage(decodeMessage(bytes.subarray(0, length)));
    return true;
  }

  /** All that came and was not taken, in one piece. */
  #join(): Buffer {
    const [first = Buffer.alloc(0), ...more] = this.#chunks;
    const bytes = more.length === 0 ? first : Buffer.concat(this.#chunks, this.#length);
    this.#chunks = [bytes];
    return bytes;
  }

  #drop(count: number): void {
    this.#chunks = [this.#join().subarray(count)];
    this.#length -= count;
  }

  #lose(why: string, cause: unknown): void {
    if (this.#isClosed) return;
    this.close();
    this.#listener.onLost(why, cause);
  }
}
