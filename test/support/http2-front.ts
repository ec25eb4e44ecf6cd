import { request as httpRequest } from 'node:http';
import {
  createSecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';

import type { Certificate } from './certificates.js';

/** Handles a stream in the registry's place; `false` leaves it to the registry. */
export type StreamInterference = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
) => boolean;

/** An HTTP/2 server in front of a registry that speaks HTTP/1.1, as load balancers are. */
export class Http2Front implements AsyncDisposable {
  readonly host: string;
  /** Paths that were asked for over HTTP/2. */
  readonly seen: string[] = [];
  interference: StreamInterference = () => false;
  readonly #close: () => Promise<void>;

  private constructor(port: number, close: () => Promise<void>) {
    this.host = `127.0.0.1:${port}`;
    this.#close = close;
  }

  /** `allowHTTP1` unless told otherwise: then whoever speaks nothing else is sent away. */
  static async start(
    registry: { readonly host: string },
    tls: Certificate,
    { allowHTTP1 = true } = {},
  ): Promise<Http2Front> {
    const server = createSecureServer({ ...tls, allowHTTP1 });
    server.on('request', (request, response) => {
      if (request.httpVersionMajor !== 1) return;
      const outgoing = httpRequest(`http://${registry.host}${request.url}`, {
        headers: request.headers,
        agent: false,
      });
      outgoing.on('response', (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
      outgoing.end();
    });
    const sessions = new Set<ServerHttp2Session>();
    server.on('session', (session) => {
      sessions.add(session);
      session.on('error', () => undefined);
      session.on('close', () => sessions.delete(session));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const front = new Http2Front((server.address() as AddressInfo).port, async () => {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    server.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      front.seen.push(headers[':path'] ?? '');
      if (!front.interference(stream, headers)) forward(registry.host, stream, headers);
    });
    return front;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

function forward(host: string, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const own = Object.entries(headers).filter(([name]) => !name.startsWith(':'));
  const outgoing = httpRequest(`http://${host}${headers[':path'] ?? ''}`, {
    method: headers[':method'] ?? 'GET',
    headers: Object.fromEntries(own),
    agent: false,
  });
  outgoing.on('response', (response) => {
    const kept = Object.entries(response.headers).filter(
      ([name]) => !['connection', 'keep-alive', 'transfer-encoding'].includes(name),
    );
    stream.respond({ ':status': response.statusCode ?? 500, ...Object.fromEntries(kept) });
    response.pipe(stream);
  });
  stream.pipe(outgoing);
}
