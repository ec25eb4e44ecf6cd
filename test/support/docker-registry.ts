import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import type { Certificate } from './certificates.js';
import { runOk } from './run-command.js';
import { TempDir } from './temp-dir.js';

/** How a registry is to stand. */
export interface DockerRegistryOptions {
  readonly tls?: Certificate;
  /** The one account that may log in; without it anyone may do anything. */
  readonly account?: { readonly username: string; readonly password: string };
}

/** Debian's docker-registry, on loopback, with its content in a folder of its own. */
export class DockerRegistry implements AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** `http://127.0.0.1:PORT` or https. */
  readonly origin: string;
  readonly #stop: () => Promise<void>;

  private constructor(host: string, scheme: string, stop: () => Promise<void>) {
    this.host = host;
    this.origin = `${scheme}://${host}`;
    this.#stop = stop;
  }

  static async start(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
    const folder = new TempDir();
    const config = join(folder.path, 'config.yml');
    writeFileSync(config, await renderConfig(folder.path, options));
    const child = spawn(requireProgram(), ['serve', config], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ended = new Promise<void>((resolve) =>
      child.once('close', () => {
        resolve();
      }),
    );
    const lines: string[] = [];
    const listening = new Promise<string>((resolve, reject) => {
      createInterface(child.stderr).on('line', (line) => {
        lines.push(line);
        const host = /listening on ([\d.]+:\d+)/.exec(line)?.[1];
        if (host !== undefined) resolve(host);
      });
      child.once('error', reject);
      child.once('exit', () => {
        reject(new Error(`docker-registry ended:\n${lines.join('\n')}`));
      });
    });
    const stop = async () => {
      child.kill();
      await ended;
      folder[Symbol.dispose]();
    };
    try {
      const host = await listening;
      return new DockerRegistry(host, options.tls === undefined ? 'http' : 'https', stop);
    } catch (error) {
      await stop();
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stop();
  }
}

async function renderConfig(folder: string, options: DockerRegistryOptions): Promise<string> {
  const lines = [
    'version: 0.1',
    'log: { level: info, accesslog: { disabled: true } }',
    `storage: { filesystem: { rootdirectory: ${folder}/data }, delete: { enabled: true } }`,
    'http:',
    '  addr: 127.0.0.1:0',
  ];
  if (options.tls !== undefined) {
    writeFileSync(join(folder, 'tls.crt'), options.tls.cert);
    writeFileSync(join(folder, 'tls.key'), options.tls.key);
    lines.push('  tls:', `    certificate: ${folder}/tls.crt`, `    key: ${folder}/tls.key`);
  }
  if (options.account !== undefined) {
    const { username, password } = options.account;
    // bcrypt, the only scheme that it takes, through perl, which every Debian has
    const hash = await runOk([
      ...['perl', '-e', 'print crypt($ARGV[0], q($2y$05$abcdefghijklmnopqrstuu))', password],
    ]);
    writeFileSync(join(folder, 'htpasswd'), `${username}:${hash}\n`);
    lines.push('auth:', `  htpasswd: { realm: test, path: ${folder}/htpasswd }`);
  }
  return `${lines.join('\n')}\n`;
}

function requireProgram(): string {
  const program = '/usr/bin/docker-registry';
  if (!existsSync(program))
    throw new Error('install docker-registry: apt-get install docker-registry');
  return program;
}
