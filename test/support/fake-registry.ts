import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

import {
  cancelUpload,
  continueUpload,
  deleteBlob,
  getBlob,
  getUpload,
  startUpload,
} from './fake-registry-blobs.js';
import { Refusal, Repository, type Call } from './fake-registry-content.js';
import {
  deleteManifest,
  getManifest,
  listReferrers,
  listTags,
  putManifest,
} from './fake-registry-manifests.js';

/**
 * A registry in this process that keeps strictly to distribution-spec v1.1, and misbehaves only where a test scripts it
 * ({@link FakeRegistry.interfere}). It shares no code with the client that it tests.
 */
export interface FakeRegistryOptions {
  readonly tls?: { readonly cert: string; readonly key: string };
  /** How to log in: not at all, by password with each request, or by a token from `/token` of the same server. */
  readonly login?: 'basic' | 'bearer';
  /** Accounts by user name; without any, tokens are given to everyone. */
  readonly accounts?: Readonly<Record<string, string>>;
  /** In place of this server's own `/token`. */
  readonly realm?: string;
  /** How long tokens hold. */
  readonly tokenSeconds?: number;
}

/** A request that came. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

/** Handles a request in the registry's place; `false` leaves it to the registry. */
export type Interference = (
  request: IncomingMessage,
  response: ServerResponse,
) => boolean | Promise<boolean>;

const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/** By method and kind of address. */
const handlers: Readonly<Record<string, ((call: Call) => void | Promise<void>) | undefined>> = {
  'GET blobs': getBlob,
  'HEAD blobs': getBlob,
  'DELETE blobs': deleteBlob,
  'POST blobs/uploads': startUpload,
  'GET blobs/uploads': getUpload,
  'PATCH blobs/uploads': continueUpload,
  'PUT blobs/uploads': continueUpload,
  'DELETE blobs/uploads': cancelUpload,
  'GET manifests': getManifest,
  'HEAD manifests': getManifest,
  'PUT manifests': putManifest,
  'DELETE manifests': deleteManifest,
  'GET tags': listTags,
  'GET referrers': listReferrers,
};

export class FakeRegistry implements AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly origin: string;
  /** Everything that came, in order. */
  readonly seen: SeenRequest[] = [];
  readonly #repositories = new Map<string, Repository>();
  readonly #interferences: Interference[] = [];
  readonly #tokens = new Map<
    string,
    { readonly scopes: readonly string[]; readonly endMs: number }
  >();
  readonly #options: FakeRegistryOptions;
  readonly #close: () => Promise<void>;

  private constructor(options: FakeRegistryOptions, port: number, close: () => Promise<void>) {
    this.#options = options;
    this.#close = close;
    this.host = `127.0.0.1:${port}`;
    this.origin = `${options.tls === undefined ? 'http' : 'https'}://${this.host}`;
  }

  static async start(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
    const server = options.tls === undefined ? createServer() : createTlsServer(options.tls);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const registry = new FakeRegistry(options, port, async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    });
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void registry.#handle(request, response);
    });
    return registry;
  }

  /** Puts a script in front of the registry; the latest comes first. */
  interfere(interference: Interference): void {
    this.#interferences.unshift(interference);
  }

  /** The requests that came for blobs, in order. */
  get blobRequests(): readonly SeenRequest[] {
    return this.seen.filter(({ method, url }) => method === 'GET' && url.includes('/blobs/'));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    this.seen.push({ method, url, headers });
    response.on('error', () => undefined);
    try {
      for (const interference of this.#interferences) {
        if (await interference(request, response)) return;
      }
      await this.#route(request, response);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      request.resume();
      const body = JSON.stringify({ errors: [{ code: error.code, message: error.message }] });
      response.writeHead(error.status, { 'content-type': 'application/json', ...error.headers });
      response.end(method === 'HEAD' ? undefined : body);
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.origin);
    if (url.pathname === '/token') {
      this.#giveToken(request, response, url);
      return;
    }
    const path = /^\/v2\/(?:(.+)\/(blobs\/uploads|blobs|manifests|tags|referrers)\/([^/]*))?$/.exec(
      url.pathname,
    );
    if (path === null) throw new Refusal(404, 'UNSUPPORTED');
    const [, name, kind = '', last = ''] = path;
    this.#requireLogin(request, name);
    if (name === undefined) {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      return;
    }
    if (!NAME.test(name)) throw new Refusal(400, 'NAME_INVALID');
    const repository = this.#repository(name);
    const findRepository = (other: string): Repository => this.#repository(other);
    const call = { request, response, url, name, repository, findRepository, last };
    const handle = handlers[`${request.method ?? ''} ${kind}`];
    if (handle === undefined) throw new Refusal(405, 'UNSUPPORTED');
    await handle(call);
  }

  #repository(name: string): Repository {
    let repository = this.#repositories.get(name);
    if (repository === undefined) {
      repository = new Repository();
      this.#repositories.set(name, repository);
    }
    return repository;
  }

  #requireLogin(request: IncomingMessage, name: string | undefined): void {
    const { login } = this.#options;
    const given = request.headers.authorization;
    if (login === undefined) return;
    if (login === 'basic') {
      if (this.#isAccount(given)) return;
      throw new Refusal(401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="fake"' });
    }
    const action = ['GET', 'HEAD'].includes(request.method ?? '') ? 'pull' : 'push';
    const token = this.#tokens.get(given?.replace(/^Bearer /, '') ?? '');
    const granted = token?.scopes.some((scope) => grants(scope, name, action)) ?? false;
    if (token !== undefined && token.endMs > Date.now() && (name === undefined || granted)) return;
    const actions = action === 'pull' ? 'pull' : 'pull,push';
    const scope = name === undefined ? '' : `,scope="repository:${name}:${actions}"`;
    const realm = this.#options.realm ?? `${this.origin}/token`;
    throw new Refusal(401, 'UNAUTHORIZED', {
      'www-authenticate': `Bearer realm="${realm}",service="fake registry"${scope}`,
    });
  }

  #giveToken(request: IncomingMessage, response: ServerResponse, url: URL): void {
    const given = request.headers.authorization;
    const anonymous = this.#options.accounts === undefined;
    if (!anonymous && !this.#isAccount(given)) throw new Refusal(401, 'UNAUTHORIZED');
    const token = randomBytes(16).toString('hex');
    const seconds = this.#options.tokenSeconds ?? 60;
    this.#tokens.set(token, {
      scopes: url.searchParams.getAll('scope').flatMap((scopes) => scopes.split(' ')),
      endMs: Date.now() + seconds * 1000,
    });
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ token, expires_in: seconds }));
  }

  #isAccount(authorization: string | undefined): boolean {
    const pair = Buffer.from(authorization?.replace(/^Basic /, '') ?? '', 'base64').toString();
    const colon = pair.indexOf(':');
    const { accounts = {} } = this.#options;
    const name = pair.slice(0, colon);
    return colon > 0 && Object.hasOwn(accounts, name) && accounts[name] === pair.slice(colon + 1);
  }
}

function grants(scope: string, name: string | undefined, action: string): boolean {
  const [, repository, actions = ''] = /^repository:([^:]+):(.+)$/.exec(scope) ?? [];
  return repository === name && actions.split(',').includes(action);
}
