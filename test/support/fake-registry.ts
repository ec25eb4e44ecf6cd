import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

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

/** A problem in the specification's words. */
class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, headers: Readonly<Record<string, string>> = {}) {
    super(code.toLowerCase().replaceAll('_', ' '));
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

interface Manifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

class Repository {
  readonly blobs = new Map<string, Buffer>();
  readonly manifests = new Map<string, Manifest>();
  readonly tags = new Map<string, string>();
  readonly uploads = new Map<string, Buffer>();
}

const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

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
    const call = { request, response, url, name, repository, last };
    switch (`${request.method ?? ''} ${kind}`) {
      case 'GET blobs':
      case 'HEAD blobs':
        this.#getBlob(call);
        return;
      case 'GET manifests':
      case 'HEAD manifests':
        this.#getManifest(call);
        return;
      case 'PUT manifests':
        await this.#putManifest(call);
        return;
      case 'POST blobs/uploads':
        await this.#startUpload(call);
        return;
      case 'PATCH blobs/uploads':
      case 'PUT blobs/uploads':
        await this.#continueUpload(call);
        return;
      case 'GET tags':
        this.#listTags(call);
        return;
      case 'GET referrers':
        this.#listReferrers(call);
        return;
      default:
        throw new Refusal(405, 'UNSUPPORTED');
    }
  }

  #repository(name: string): Repository {
    let repository = this.#repositories.get(name);
    if (repository === undefined) {
      repository = new Repository();
      this.#repositories.set(name, repository);
    }
    return repository;
  }

  #getBlob({ request, response, repository, last }: Call): void {
    requireDigest(last);
    const blob = repository.blobs.get(last);
    if (blob === undefined) throw new Refusal(404, 'BLOB_UNKNOWN');
    const headers = {
      'content-type': 'application/octet-stream',
      'docker-content-digest': last,
      'accept-ranges': 'bytes',
    };
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    if (range === null || request.method === 'HEAD') {
      response.writeHead(200, { ...headers, 'content-length': String(blob.length) });
      response.end(request.method === 'HEAD' ? undefined : blob);
      return;
    }
    const start = Number(range[1]);
    const end = Math.min(range[2] === '' ? Infinity : Number(range[2]), blob.length - 1);
    if (start >= blob.length || end < start) {
      throw new Refusal(416, 'RANGE_INVALID', { 'content-range': `bytes */${blob.length}` });
    }
    const part = blob.subarray(start, end + 1);
    response.writeHead(206, {
      ...headers,
      'content-length': String(part.length),
      'content-range': `bytes ${start}-${end}/${blob.length}`,
    });
    response.end(part);
  }

  #getManifest({ request, response, repository, last }: Call): void {
    const digest = last.includes(':') ? last : repository.tags.get(last);
    const manifest = digest === undefined ? undefined : repository.manifests.get(digest);
    if (manifest === undefined) throw new Refusal(404, 'MANIFEST_UNKNOWN');
    response.writeHead(200, {
      'content-type': manifest.mediaType,
      'content-length': String(manifest.bytes.length),
      'docker-content-digest': digest ?? '',
    });
    response.end(request.method === 'HEAD' ? undefined : manifest.bytes);
  }

  async #putManifest({ request, response, name, repository, last }: Call): Promise<void> {
    const bytes = await readBody(request);
    const mediaType = request.headers['content-type'];
    const document = parseObject(bytes);
    if (mediaType === undefined || document === undefined) {
      throw new Refusal(400, 'MANIFEST_INVALID');
    }
    const stated = document['mediaType'];
    if (stated !== undefined && stated !== mediaType) throw new Refusal(400, 'MANIFEST_INVALID');
    for (const { digest } of referredBlobs(document)) {
      if (!repository.blobs.has(digest)) throw new Refusal(400, 'MANIFEST_BLOB_UNKNOWN');
    }
    const algorithm = last.startsWith('sha512:') ? 'sha512' : 'sha256';
    const digest = digestOf(bytes, algorithm);
    if (last.includes(':')) {
      requireDigest(last);
      if (last !== digest) throw new Refusal(400, 'DIGEST_INVALID');
    } else if (TAG.test(last)) repository.tags.set(last, digest);
    else throw new Refusal(400, 'TAG_INVALID');
    repository.manifests.set(digest, { bytes, mediaType });
    const { subject } = document as { subject?: { digest?: string } };
    response.writeHead(201, {
      location: `/v2/${name}/manifests/${digest}`,
      'docker-content-digest': digest,
      ...(subject?.digest === undefined ? {} : { 'oci-subject': subject.digest }),
    });
    response.end();
  }

  async #startUpload(call: Call): Promise<void> {
    const { request, response, url, name, repository } = call;
    const mount = url.searchParams.get('mount');
    const blob =
      mount === null
        ? undefined
        : this.#repository(url.searchParams.get('from') ?? name).blobs.get(mount);
    if (mount !== null && blob !== undefined) {
      repository.blobs.set(mount, blob);
      response.writeHead(201, { location: `/v2/${name}/blobs/${mount}` }).end();
      return;
    }
    const digest = url.searchParams.get('digest');
    if (digest !== null) {
      finishUpload(call, await readBody(request), digest);
      return;
    }
    request.resume();
    const id = randomBytes(8).toString('hex');
    repository.uploads.set(id, Buffer.alloc(0));
    response.writeHead(202, { location: `/v2/${name}/blobs/uploads/${id}`, range: '0-0' }).end();
  }

  async #continueUpload(call: Call): Promise<void> {
    const { request, response, url, name, repository, last } = call;
    const before = repository.uploads.get(last);
    if (before === undefined) throw new Refusal(404, 'BLOB_UPLOAD_UNKNOWN');
    const range = request.headers['content-range'];
    if (range !== undefined && Number(range.split('-', 1)[0]) !== before.length) {
      throw new Refusal(416, 'BLOB_UPLOAD_INVALID');
    }
    const content = Buffer.concat([before, await readBody(request)]);
    if (request.method === 'PUT') {
      repository.uploads.delete(last);
      finishUpload(call, content, url.searchParams.get('digest') ?? '');
      return;
    }
    repository.uploads.set(last, content);
    response.writeHead(202, {
      location: `/v2/${name}/blobs/uploads/${last}`,
      range: `0-${content.length - 1}`,
    });
    response.end();
  }

  #listTags({ response, url, name, repository }: Call): void {
    if (repository.manifests.size === 0) throw new Refusal(404, 'NAME_UNKNOWN');
    const count = Number(url.searchParams.get('n') ?? '1000');
    const after = url.searchParams.get('last') ?? '';
    const tags = [...repository.tags.keys()].sort().filter((tag) => tag > after);
    const page = tags.slice(0, count);
    const next = `/v2/${name}/tags/list?n=${count}&last=${page.at(-1) ?? ''}`;
    response.writeHead(200, {
      'content-type': 'application/json',
      ...(page.length < tags.length && count > 0 ? { link: `<${next}>; rel="next"` } : {}),
    });
    response.end(JSON.stringify({ name, tags: page }));
  }

  #listReferrers({ response, repository, last }: Call): void {
    requireDigest(last);
    const manifests = [...repository.manifests].flatMap(([digest, { bytes, mediaType }]) => {
      const document = parseObject(bytes) as {
        subject?: { digest?: string };
        artifactType?: string;
      };
      return document.subject?.digest === last
        ? [{ mediaType, digest, size: bytes.length, artifactType: document.artifactType }]
        : [];
    });
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    response.writeHead(200, { 'content-type': mediaType });
    response.end(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
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

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly name: string;
  readonly repository: Repository;
  /** The last component of the path. */
  readonly last: string;
}

function finishUpload({ response, name, repository }: Call, content: Buffer, digest: string): void {
  requireDigest(digest);
  const algorithm = digest.startsWith('sha512:') ? 'sha512' : 'sha256';
  if (digestOf(content, algorithm) !== digest) throw new Refusal(400, 'DIGEST_INVALID');
  repository.blobs.set(digest, content);
  response.writeHead(201, {
    location: `/v2/${name}/blobs/${digest}`,
    'docker-content-digest': digest,
  });
  response.end();
}

function grants(scope: string, name: string | undefined, action: string): boolean {
  const [, repository, actions = ''] = /^repository:([^:]+):(.+)$/.exec(scope) ?? [];
  return repository === name && actions.split(',').includes(action);
}

function requireDigest(text: string): void {
  if (!DIGEST.test(text)) throw new Refusal(400, 'DIGEST_INVALID');
}

function digestOf(bytes: Uint8Array, algorithm: string): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

function referredBlobs(document: Readonly<Record<string, unknown>>): { digest: string }[] {
  const { config, layers } = document as {
    config?: { digest: string };
    layers?: { digest: string; urls?: unknown }[];
  };
  return [
    ...(config === undefined ? [] : [config]),
    ...(layers ?? []).filter(({ urls }) => urls === undefined),
  ];
}

function parseObject(bytes: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined; // not JSON: the caller refuses it
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
