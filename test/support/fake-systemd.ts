import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

import dbus from 'dbus-next';

import { TempDir } from './temp-dir.js';

/** What the fake does with one call of a method: it replies, sends signals, or stays silent. */
export type FakeMethod = (fake: FakeSystemd, call: dbus.Message) => void;

const PATH = '/org/freedesktop/systemd1';
const INTERFACE = 'org.freedesktop.systemd1.Manager';

/**
 * A service manager that misbehaves on demand: `org.freedesktop.systemd1` on a bus of its own (a real dbus-daemon).
 * Knows only the methods that it is given, and `Subscribe`.
 */
export class FakeSystemd implements AsyncDisposable {
  readonly socket: string;
  readonly #directory: TempDir;
  readonly #daemon: ChildProcess;
  readonly #bus: dbus.MessageBus;

  private constructor(parts: { directory: TempDir; daemon: ChildProcess; bus: dbus.MessageBus }) {
    this.#directory = parts.directory;
    this.#daemon = parts.daemon;
    this.#bus = parts.bus;
    this.socket = `${parts.directory.path}/bus`;
  }

  /** Starts the bus and takes the name of systemd on it. */
  static async start(methods: Readonly<Record<string, FakeMethod>>): Promise<FakeSystemd> {
    const directory = new TempDir();
    const address = `unix:path=${directory.path}/bus`;
    const daemon = spawn(
      'dbus-daemon',
      ['--session', '--nofork', '--nopidfile', '--print-address=1', `--address=${address}`],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    await once(daemon.stdout, 'data');
    const connect = dbus.sessionBus as unknown as (options: object) => dbus.MessageBus;
    const bus = connect({ busAddress: `unix:socket=${directory.path}/bus` });
    bus.on('error', () => undefined); // the daemon is killed before the connection is closed
    await bus.requestName('org.freedesktop.systemd1', 0);
    const fake = new FakeSystemd({ directory, daemon, bus });
    bus.addMethodHandler((call: dbus.Message) => {
      if (call.member === 'Subscribe') fake.reply(call, { signature: '', body: [] });
      else methods[call.member]?.(fake, call);
      return true;
    });
    return fake;
  }

  reply(call: dbus.Message, reply: { readonly signature: string; readonly body: unknown[] }): void {
    this.#bus.send(dbus.Message.newMethodReturn(call, reply.signature, reply.body));
  }

  fail(call: dbus.Message, error: { readonly name: string; readonly text: string }): void {
    // The library's type has the message and its name in the wrong places.
    const { Message } = dbus as unknown as {
      readonly Message: {
        readonly newError: (call: dbus.Message, name: string, text: string) => dbus.Message;
      };
    };
    this.#bus.send(Message.newError(call, error.name, error.text));
  }

  /** Tells all who subscribed that a job ended. */
  endJob(job: string, result: string): void {
    this.#bus.send(
      dbus.Message.newSignal(PATH, INTERFACE, 'JobRemoved', 'uoss', [1, job, 'x.service', result]),
    );
  }

  /** Takes the bus away. */
  async killBus(): Promise<void> {
    const gone = once(this.#daemon, 'exit');
    this.#daemon.kill('SIGKILL');
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#bus.disconnect();
    if (this.#daemon.exitCode === null && this.#daemon.signalCode === null) await this.killBus();
    this.#directory[Symbol.dispose]();
  }
}
