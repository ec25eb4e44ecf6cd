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
  #bus: dbus.MessageBus;

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
    const bus = connectTo(`${directory.path}/bus`);
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
    this.#bus.send(jobRemoved(job, result));
  }

  /** Has another connection, which is not systemd's, tell the caller that a job ended. */
  async endJobAsStranger(call: dbus.Message, job: string, result: string): Promise<void> {
    const stranger = connectTo(this.socket);
    await once(stranger, 'connect');
    const signal = jobRemoved(job, result);
    signal.destination = call.sender;
    stranger.send(signal);
    await stranger.requestName('org.example.Done', 0); // the bus has seen to what came before
    stranger.disconnect();
  }

  /** Gives systemd's name to a new connection, as systemd does that executes itself again. */
  async reexecute(): Promise<void> {
    this.#bus.disconnect();
    this.#bus = connectTo(this.socket);
    await this.#bus.requestName('org.freedesktop.systemd1', 0);
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

function connectTo(socket: string): dbus.MessageBus {
  const connect = dbus.sessionBus as unknown as (options: object) => dbus.MessageBus;
  const bus = connect({ busAddress: `unix:socket=${socket}` });
  bus.on('error', () => undefined); // the daemon is killed before the connection is closed
  return bus;
}

function jobRemoved(job: string, result: string): dbus.Message {
  return dbus.Message.newSignal(PATH, INTERFACE, 'JobRemoved', 'uoss', [
    1,
    job,
    'x.service',
    result,
  ]);
}
