import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { PushTarget } from './push-image.js';
import { runOk } from './run-command.js';

/** How a registry is to be reached. */
export interface RegistryOptions {
  /** Whether it speaks https, with a certificate for localhost and 127.0.0.1 of an authority of its own. */
  readonly tls?: boolean;
  /** Whether it wants a name and a password (Basic). */
  readonly credentials?: { readonly user: string; readonly password: string };
  /** Whether a client has to show a certificate of the registry's own authority; with `tls` only. */
  readonly clientCertificate?: boolean;
  /** A token server, by its realm, and the authority of who signs its tokens as PEM. */
  readonly tokens?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly ca: string;
  };
  /** 127.0.0.1 unless given. */
  readonly address?: '127.0.0.1' | '::1';
}

/** Longest time for a registry to answer its first request; it takes a tenth of a second. */
const START_TIMEOUT_MS = 30_000;

/** Longest time for one answer: at the port may be somebody else, who says nothing. */
const ANSWER_TIMEOUT_MS = 5_000;

/** Starts Debian's docker-registry on a free port of loopback, with nothing in it. */
export async function startRegistry(options: RegistryOptions = {}): Promise<RealRegistry> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnPort(options);
    } catch (error) {
      if (!(error instanceof RegistryEndedError) || attempt === MAX_START_ATTEMPTS) throw error;
    }
  }
}

/** It may end because somebody else was given its port between the question for a free one and its use. */
class RegistryEndedError extends Error {}

const MAX_START_ATTEMPTS = 3;

async function startOnPort(options: RegistryOptions): Promise<RealRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-registry-'));
  try {
    const port = await freePort(options.address);
    if (options.tls === true) await makeCertificate(folder);
    if (options.credentials !== undefined) {
      const { user, password } = options.credentials;
      await writeFile(
        join(folder, 'htpasswd'),
        await runOk(['htpasswd', '-B', '-i', '-n', user], { input: password }),
      );
    }
    if (options.tokens !== undefined)
      await writeFile(join(folder, 'tokens.pem'), options.tokens.ca);
    await writeFile(join(folder, 'config.yml'), configuration(folder, { port, ...options }));
    const server = spawn('docker-registry', ['serve', join(folder, 'config.yml')], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'], OTEL_TRACES_EXPORTER: 'none' },
    });
    const registry = new RealRegistry({
      server,
      folder,
      port,
      options,
      ca: options.tls === true ? await readFile(join(folder, 'ca.pem'), 'utf8') : undefined,
    });
    await registry.waitUntilItAnswers();
    return registry;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

interface RegistryParts {
  readonly server: ChildProcess;
  readonly folder: string;
  readonly port: number;
  readonly options: RegistryOptions;
  readonly ca: string | undefined;
}

/** A registry that runs until it is disposed of. Made by {@link startRegistry}. */
export class RealRegistry implements AsyncDisposable {
  readonly port: number;
  /** `127.0.0.1:PORT`, as it stands in references. */
  readonly host: string;
  /** `http://127.0.0.1:PORT` or with https. */
  readonly origin: string;
  /** PEM of the authority behind an https registry. */
  readonly ca: string | undefined;
  /** The same as a file. */
  readonly caFile: string;
  /** A certificate that its clients can show, and the key, as files. */
  readonly client: { readonly cert: string; readonly key: string };
  /** Where the registry keeps what it has: `docker/registry/v2/blobs/…`, for tests that damage it. */
  readonly storage: string;
  readonly #parts: RegistryParts;
  #errors = '';

  /** Not for tests: see {@link startRegistry}. */
  constructor(parts: RegistryParts) {
    this.#parts = parts;
    this.port = parts.port;
    const { address = '127.0.0.1' } = parts.options;
    this.host = `${address.includes(':') ? `[${address}]` : address}:${parts.port}`;
    this.origin = `${parts.options.tls === true ? 'https' : 'http'}://${this.host}`;
    this.ca = parts.ca;
    this.caFile = join(parts.folder, 'ca.pem');
    this.client = { cert: join(parts.folder, 'client.pem'), key: join(parts.folder, 'client.key') };
    this.storage = join(parts.folder, 'storage');
    parts.server.stderr?.on('data', (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-8000);
    });
  }

  /** Where to push an image of the given name to. */
  target(repository: string): PushTarget {
    const { credentials } = this.#parts.options;
    const basic =
      credentials === undefined
        ? undefined
        : Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64');
    return {
      origin: this.origin,
      repository,
      ...(this.ca === undefined ? {} : { ca: this.ca }),
      ...(basic === undefined ? {} : { headers: { authorization: `Basic ${basic}` } }),
    };
  }

  /** A reference that names an image here. */
  reference(repository: string, tag = 'latest'): string {
    return `${this.host}/${repository}:${tag}`;
  }

  /** Resolves once the registry answers; rejects with its log if it does not. */
  async waitUntilItAnswers(): Promise<void> {
    const end = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      const isThere = await this.#answers();
      const isOver = this.#parts.server.exitCode !== null;
      // What answers at the port of a registry that has ended is another one.
      if (isThere && !isOver) return;
      if (isOver || Date.now() > end) {
        await this[Symbol.asyncDispose]();
        if (isOver) throw new RegistryEndedError(`docker-registry ended\n${this.#errors}`);
        throw new Error(`docker-registry does not answer\n${this.#errors}`);
      }
      await delay(20);
    }
  }

  /** Stops the registry and removes what it kept. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { server, folder } = this.#parts;
    if (server.exitCode === null && server.signalCode === null) {
      const ended = once(server, 'close');
      server.kill('SIGKILL');
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    const { tls, clientCertificate } = this.#parts.options;
    const start = tls === true ? httpsRequest : httpRequest;
    const shown =
      clientCertificate === true
        ? { cert: await readFile(this.client.cert), key: await readFile(this.client.key) }
        : {};
    return new Promise((resolve) => {
      const request = start(`${this.origin}/v2/`, {
        agent: false,
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
        ...(this.ca === undefined ? {} : { ca: this.ca }),
        ...shown,
      });
      request.once('error', () => {
        resolve(false);
      });
      request.once('response', (response) => {
        response.resume();
        resolve(response.statusCode === 200 || response.statusCode === 401);
      });
      request.end();
    });
  }
}

/** The registry's configuration, as YAML; JSON is that too. */
function configuration(folder: string, options: RegistryOptions & { port: number }): string {
  return JSON.stringify({
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: join(folder, 'storage') },
      delete: { enabled: true },
    },
    http: {
      addr: `${options.address === '::1' ? '[::1]' : '127.0.0.1'}:${options.port}`,
      secret: 'the same for all requests of one test',
      ...(options.tls === true
        ? {
            tls: {
              certificate: join(folder, 'server.pem'),
              key: join(folder, 'server.key'),
              ...(options.clientCertificate === true
                ? { clientcas: [join(folder, 'ca.pem')] }
                : {}),
            },
          }
        : {}),
    },
    ...(options.tokens === undefined
      ? {}
      : {
          auth: {
            token: {
              realm: options.tokens.realm,
              service: options.tokens.service,
              issuer: options.tokens.issuer,
              rootcertbundle: join(folder, 'tokens.pem'),
            },
          },
        }),
    ...(options.credentials === undefined
      ? {}
      : { auth: { htpasswd: { realm: 'berth-test', path: join(folder, 'htpasswd') } } }),
  });
}

/** Writes ca.pem, server.pem and server.key. */
async function makeCertificate(folder: string): Promise<void> {
  const openssl = async (...args: readonly string[]): Promise<string> =>
    runOk(['openssl', ...args], { cwd: folder });
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await openssl(
    ...['req', '-x509', ...fresh, '-days', '2', '-subj', '/CN=berth test authority'],
    ...['-keyout', 'ca.key', '-out', 'ca.pem'],
  );
  await openssl(
    ...['req', ...fresh, '-subj', '/CN=localhost', '-keyout', 'server.key', '-out', 'server.csr'],
  );
  await writeFile(join(folder, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n');
  await openssl(
    ...['x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key'],
    ...['-CAcreateserial', '-days', '2', '-extfile', 'names', '-out', 'server.pem'],
  );
  await openssl(
    ...['req', ...fresh, '-subj', '/CN=client', '-keyout', 'client.key', '-out', 'client.csr'],
  );
  await openssl(
    ...['x509', '-req', '-in', 'client.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key'],
    ...['-CAcreateserial', '-days', '2', '-out', 'client.pem'],
  );
}

/** A port of loopback that was free a moment ago; a registry that finds it taken ends, which is seen. */
async function freePort(address = '127.0.0.1'): Promise<number> {
  const server = createServer();
  server.listen(0, address);
  await once(server, 'listening');
  const given = server.address();
  server.close();
  await once(server, 'close');
  if (given === null || typeof given === 'string') throw new Error('no port was given');
  return given.port;
}
