import { randomUUID, sign, X509Certificate } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Certificate } from './certificates.js';

/** What a {@link TokenServer} knows. */
export interface TokenServerOptions {
  readonly account: { readonly user: string; readonly password: string };
  /** Whose signature the registry accepts. */
  readonly signer: Certificate;
  /** The address to listen on. */
  readonly address?: string;
}

/** Makes tokens as the distribution project specifies them ("Token Authentication"), for a real registry to check. */
export class TokenServer implements AsyncDisposable {
  readonly realm: string;
  /** What was asked for, in order: method and scopes. */
  readonly seen: string[] = [];
  static readonly service = 'berth test registry';
  static readonly issuer = 'berth test';
  readonly #options: TokenServerOptions;
  readonly #close: () => Promise<void>;

  private constructor(options: TokenServerOptions, origin: string, close: () => Promise<void>) {
    this.#options = options;
    this.realm = `${origin}/token`;
    this.#close = close;
  }

  static async start(options: TokenServerOptions): Promise<TokenServer> {
    const { address = '127.0.0.1' } = options;
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, address, resolve));
    const { port } = server.address() as AddressInfo;
    const host = address.includes(':') ? `[${address}]` : address;
    const tokens = new TokenServer(options, `http://${host}:${port}`, async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    server.on('request', (request, response) => void tokens.#answer(request, response));
    return tokens;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }

  /** A refresh token for the account: what `docker login` keeps for such servers. */
  readonly refreshToken = randomUUID();

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://x');
    const fields = request.method === 'POST' ? await readForm(request) : url.searchParams;
    const scopes = fields.getAll('scope').flatMap((scope) => scope.split(' '));
    this.seen.push(`${request.method ?? ''} ${scopes.join(' ')}`);
    const user = this.#userOf(request, fields);
    if (user === undefined || fields.get('service') !== TokenServer.service) {
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end('{"errors":[{"code":"UNAUTHORIZED","message":"wrong name or password"}]}');
      return;
    }
    const access = scopes.filter((scope) => scope !== '').map(parseScope);
    const token = this.#makeToken(user, access);
    response.writeHead(200, { 'content-type': 'application/json' });
    const key = request.method === 'POST' ? 'access_token' : 'token';
    response.end(JSON.stringify({ [key]: token, expires_in: 300 }));
  }

  #userOf(request: IncomingMessage, fields: URLSearchParams): string | undefined {
    const { user, password } = this.#options.account;
    if (request.method === 'POST') {
      const isRight =
        fields.get('grant_type') === 'refresh_token' &&
        fields.get('refresh_token') === this.refreshToken;
      return isRight ? user : undefined;
    }
    const basic = Buffer.from(`${user}:${password}`).toString('base64');
    return request.headers.authorization === `Basic ${basic}` ? user : undefined;
  }

  #makeToken(subject: string, access: readonly object[]): string {
    const { cert, key } = this.#options.signer;
    const x5c = [new X509Certificate(cert).raw.toString('base64')];
    const now = Math.floor(Date.now() / 1000);
    const parts = [
      { typ: 'JWT', alg: 'ES256', x5c },
      {
        iss: TokenServer.issuer,
        sub: subject,
        aud: TokenServer.service,
        exp: now + 300,
        nbf: now - 10,
        iat: now,
        jti: randomUUID(),
        access,
      },
    ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
    const signed = Buffer.from(parts.join('.'));
    const signature = sign('sha256', signed, { key, dsaEncoding: 'ieee-p1363' });
    return [...parts, signature.toString('base64url')].join('.');
  }
}

function parseScope(scope: string): object {
  const [, type, name, actions = ''] = /^([a-z]+):(.+):([a-z,*]+)$/.exec(scope) ?? [];
  return { type, name, actions: actions.split(',') };
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}
