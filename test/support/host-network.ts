import { spawn } from 'node:child_process';
import { connect, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

import { networkNamespaceOf } from './host-record.js';
import { runOk } from './run-command.js';

/**
 * The network of a test host: a namespace of its own with nothing but loopback, so that the etcd of one host does not
 * meet the etcd of another, of the machine, or of somebody else's tests. Ports of the machine's loopback (a registry,
 * say) are shown in it one by one, under the same number.
 */
export class HostNetwork implements AsyncDisposable {
  readonly namespace: string;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  private constructor(namespace: string) {
    this.namespace = namespace;
  }

  /** Makes the namespace of a host. */
  static async create(id: string): Promise<HostNetwork> {
    const namespace = networkNamespaceOf(id);
    await runOk(['ip', 'netns', 'add', namespace]);
    await runOk(['ip', '-n', namespace, 'link', 'set', 'lo', 'up']);
    return new HostNetwork(namespace);
  }

  /** Path of the namespace, for programs that join it. */
  get path(): string {
    return `/run/netns/${this.namespace}`;
  }

  /** Makes 127.0.0.1:`port` of the machine reachable inside as 127.0.0.1:`port`. */
  async exposePort(port: number): Promise<void> {
    const server = await this.#listen(port);
    server.on('connection', (inside: Socket) => {
      const outside = connect({ host: '127.0.0.1', port });
      for (const [from, to] of [
        [inside, outside],
        [outside, inside],
      ] as const) {
        this.#sockets.add(from);
        from.pipe(to);
        from.on('error', () => to.destroy());
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
    server.unref();
    this.#servers.push(server);
  }

  /** Closes what was exposed; the namespace itself goes with its host. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => {
            resolve();
          });
        }),
    );
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  async #listen(port: number): Promise<Server> {
    const program = fileURLToPath(new URL('listen-in-namespace.js', import.meta.url));
    const child = spawn(
      'nsenter',
      [`--net=${this.path}`, process.execPath, program, String(port)],
      {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      },
    );
    const server = await new Promise<Server>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (status) => {
        reject(new Error(`cannot listen on port ${port} of ${this.namespace} (${String(status)})`));
      });
      child.once('message', (_message, handle) => {
        resolve(handle as Server);
      });
    });
    return server;
  }
}
