import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { runCommand } from './run-command.js';

/** Longest time for the engine to answer; it takes two seconds. */
const START_TIMEOUT_MS = 60_000;

/** A docker engine of a test's own: on a socket in its folder, with nothing in it. It does nothing with the host's network. */
export interface DockerEngine extends AsyncDisposable {
  readonly socket: string;
}

/** Starts Debian's dockerd. */
export async function startDockerEngine(): Promise<DockerEngine> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-docker-'));
  const socket = join(folder, 'docker.sock');
  const log = join(folder, 'log');
  const server = spawn(
    'sh',
    [
      '-c',
      `exec dockerd --storage-driver vfs --iptables=false --ip6tables=false --bridge=none --host "unix://$0/docker.sock" --data-root "$0/data" --exec-root "$0/exec" --pidfile "$0/pid" >"$0/log" 2>&1`,
      folder,
    ],
    { stdio: 'ignore' },
  );
  const ended = once(server, 'close');
  const stop = async (): Promise<void> => {
    if (server.exitCode === null && server.signalCode === null) {
      server.kill('SIGTERM');
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  };
  const end = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const { status } = await runCommand([
      ...['curl', '--silent', '--fail', '--unix-socket', socket, 'http://docker/_ping'],
    ]);
    if (status === 0) return { socket, [Symbol.asyncDispose]: stop };
    if (server.exitCode !== null || Date.now() > end) {
      const words = await readFile(log, 'utf8').catch(() => 'no log');
      await stop();
      throw new Error(`dockerd does not answer\n${words.slice(-4000)}`);
    }
    await delay(50);
  }
}
