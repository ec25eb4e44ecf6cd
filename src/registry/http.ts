import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Readable } from 'node:stream';
import type { SecureContext } from 'node:tls';

import { isErrno } from '../errors/is-errno.js';
import { isAddressAllowed, type AddressReach } from './address-reach.js';
import { HttpFailure, type HttpFailureKind } from './http-failure.js';
import { DEFAULT_TIMEOUTS, type HttpTimeouts } from './http-timeouts.js';
import { BodyLender } from './body-lender.js';
import { Exchange } from './exchange.js';
import {
  AgentOfUndici,
  buildConnectorOfUndici,
  ClientOfUndici,
  createProxyAgent,
  errorsOfUndici,
  type Dispatcher,
} from './undici.js';

/** The one place that speaks HTTP. Nothing is followed, decoded, retried or authenticated here. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** A flow is sent as it comes, of the length that `content-length` says. */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly tls: TlsSettings;
  /** Farthest inside that the request may reach; unlimited unless given. */
  readonly reach?: AddressReach | undefined;
  /** A proxy to go through, with its credentials in the URL. */
  readonly proxy?: URL | undefined;
  /**
   * Whether the body of the answer may be lent: a piece of it is good until the next one is asked for. Takes a connection of its
   * own where it can be done, in HTTP/1.1, and a third of the work. For requests without a body.
   */
  readonly lend?: boolean | undefined;
  readonly signal: AbortSignal;
}

/** How a peer has to prove itself. */
export interface TlsSettings {
  /**
   * Authorities, and a client certificate where one is configured; the same for all requests to one registry. Asked for where TLS
   * is to be spoken only.
   */
  readonly context: () => Promise<SecureContext>;
  /** False accepts any certificate: only where registries.conf says insecure. */
  readonly verify: boolean;
}

/** An answer whose body flows. Consume it or {@link HttpBody.discard} it: an answer left lying holds its connection. */
export interface HttpResponse {
  readonly status: number;
  /** Names in lower case; a header that stands twice is joined by commas (RFC 9110, section 5.3). */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: HttpBody;
}

/** Bytes of an answer as they came over the wire, transfer coding undone, content coding not. */
export interface HttpBody extends AsyncIterable<Uint8Array> {
  /** Reads a little of what is left, so that the connection can serve again, and closes it if there is more. */
  discard(): Promise<void>;
}

/** Largest block of headers in bytes; signed URLs of object stores take some 4 KiB. */
const MAX_HEADER_BYTES = 32 * 1024;

/** Most connections to one host at a time. */
const MAX_CONNECTIONS = 16;

/**
 * What a peer may send ahead of being read over HTTP/2, in bytes for each answer: 20 MB a second over a link of 100 ms, and no more
 * than this in memory. (The protocol's own 64 KiB would make a far registry slow; over HTTP/1.1 the kernel sees to it.)
 */
const HTTP2_WINDOW_BYTES = 2 * 1024 * 1024;

/** The alert of a server that speaks nothing that it was offered (RFC 7301, section 3.2), as Node names it. */
const NO_COMMON_PROTOCOL = 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL';

/** Connections, kept and reused until disposed of. */
export class HttpClient implements AsyncDisposable {
  readonly #timeouts: HttpTimeouts;
  readonly #dispatchers = new Map<string, Dispatcher>();
  readonly #lending = new Set<Dispatcher>();
  readonly #contextIds = new Map<SecureContext | undefined, number>();

  constructor(timeouts: HttpTimeouts = DEFAULT_TIMEOUTS) {
    this.#timeouts = timeouts;
  }

  /**
   * Sends one request and gives the answer once its headers are there, whatever its status.
   *
   * @throws {@link HttpFailure}; the signal's reason if it is aborted
   */
  async send(outgoing: HttpRequest): Promise<HttpResponse> {
    const { url, reach, signal } = outgoing;
    signal.throwIfAborted();
    if (reach !== undefined && !isAddressAllowed(url.hostname, reach)) {
      throw new HttpFailure('address', `${url.host} is an address inside this host or network`);
    }
    const context = maySpeakTls(outgoing) ? await outgoing.tls.context() : undefined;
    signal.throwIfAborted();
    const { dispatcher, lender } = this.#connectionFor(outgoing, {
      ...(context === undefined ? {} : { secureContext: context }),
      rejectUnauthorized: outgoing.tls.verify,
    });
    const body = wireBody(outgoing.body);
    const sent = body instanceof Readable ? body : undefined;
    const { idleMs } = this.#timeouts;
    const exchange = new Exchange({ signal, sent, lender, idleMs });
    try {
      dispatcher.dispatch(
        {
          origin: url.origin,
          path: url.pathname + url.search,
          method: outgoing.method,
          headers: outgoing.headers,
          body,
          headersTimeout: this.#timeouts.headersMs,
          bodyTimeout: lender === undefined ? idleMs : 0, // undici sees a body that is lent stop
        },
        exchange,
      );
      if (lender !== undefined) this.#closeAfter(dispatcher);
      const { status, headers: raw } = await exchange.head;
      const headers = Object.create(null) as Record<string, string | undefined>;
      for (const [name, value] of Object.entries(raw)) {
        headers[name] = typeof value === 'string' ? value : value?.join(', ');
      }
      return { status, headers, body: bodyOf(exchange, signal) };
    } catch (error) {
      // A server that has HTTP/2 alone: nothing was sent yet.
      if (lender !== undefined && isErrno(error, NO_COMMON_PROTOCOL)) {
        return await this.send({ ...outgoing, lend: false });
      }
      throw describe(error, signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const dispatchers = [...this.#dispatchers.values(), ...this.#lending];
    this.#dispatchers.clear();
    await Promise.all(dispatchers.map((dispatcher) => dispatcher.destroy()));
  }

  /** Closes a connection that serves nothing but what it was given already. */
  #closeAfter(dispatcher: Dispatcher): void {
    const forget = (): void => {
      this.#lending.delete(dispatcher);
    };
    dispatcher.close().then(forget, forget);
  }

  #connectionFor(
    outgoing: HttpRequest,
    security: PeerProof,
  ): { readonly dispatcher: Dispatcher; readonly lender?: BodyLender } {
    const { url, reach, proxy, lend } = outgoing;
    if (lend !== true || proxy !== undefined) {
      return { dispatcher: this.#dispatcherFor(outgoing, security) };
    }
    const overruns = url.protocol === 'https:';
    const lender = new BodyLender({ idleMs: this.#timeouts.idleMs, overruns });
    // HTTP/1.1, also with a server that has HTTP/2: nothing may stand between the body and its reader.
    const connect = buildConnectorOfUndici({
      ...security,
      timeout: this.#timeouts.connectMs,
      ...(reach === undefined ? {} : { lookup: guardedLookup(reach) }),
      onread: lender.onread,
    });
    const dispatcher = new ClientOfUndici(url.origin, {
      maxHeaderSize: MAX_HEADER_BYTES,
      connect: (options, callback) => {
        connect(options, (...result) => {
          if (result[1] !== null) lender.socket = result[1];
          callback(...result);
        });
      },
    });
    this.#lending.add(dispatcher);
    return { dispatcher, lender };
  }

  /** Connections are shared only between requests whose peer has to prove the same and may be the same. */
  #dispatcherFor({ reach, proxy }: HttpRequest, security: PeerProof): Dispatcher {
    const { secureContext, rejectUnauthorized } = security;
    let contextId = this.#contextIds.get(secureContext);
    if (contextId === undefined) {
      contextId = this.#contextIds.size;
      this.#contextIds.set(secureContext, contextId);
    }
    const key = [contextId, rejectUnauthorized, reach ?? 'any', proxy?.href ?? ''].join(' ');
    let dispatcher = this.#dispatchers.get(key);
    if (dispatcher === undefined) {
      dispatcher = this.#createDispatcher(security, reach, proxy);
      this.#dispatchers.set(key, dispatcher);
    }
    return dispatcher;
  }

  #createDispatcher(
    security: PeerProof,
    reach: AddressReach | undefined,
    proxy: URL | undefined,
  ): Dispatcher {
    const common = {
      connections: MAX_CONNECTIONS,
      maxHeaderSize: MAX_HEADER_BYTES,
      // Over HTTP/2 too: one connection for each answer, so that what breaks breaks for one, and flows do not share a window.
      pipelining: 1,
    };
    if (proxy !== undefined) {
      return createProxyAgent({
        ...common,
        uri: proxy.href,
        requestTls: { ...security, timeout: this.#timeouts.connectMs },
        proxyTls: { ...security, rejectUnauthorized: true, timeout: this.#timeouts.connectMs },
      });
    }
    return new AgentOfUndici({
      ...common,
      // Where the server has it (ALPN); measured over loopback it costs no more processor time than HTTP/1.1.
      allowH2: true,
      initialWindowSize: HTTP2_WINDOW_BYTES,
      connectionWindowSize: HTTP2_WINDOW_BYTES,
      connect: {
        ...security,
        timeout: this.#timeouts.connectMs,
        ...(reach === undefined ? {} : { lookup: guardedLookup(reach) }),
      },
    });
  }
}

/** {@link TlsSettings} in the form of Node's `tls.connect`. */
interface PeerProof {
  readonly secureContext?: SecureContext;
  readonly rejectUnauthorized: boolean;
}

/** Proxies are reached over TLS too, and where they are not, what goes through them may be. */
function maySpeakTls({ url, proxy }: HttpRequest): boolean {
  return url.protocol === 'https:' || proxy !== undefined;
}

/** Resolves names as usual, and refuses those that lead inside: checked where the connection is made (DNS rebinding). */
function guardedLookup(reach: AddressReach): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) {
        callback(error, '', 0);
        return;
      }
      const allowed = addresses.filter(({ address }) => isAddressAllowed(address, reach));
      const [first] = allowed;
      if (first === undefined) {
        callback(
          new HttpFailure('address', `${hostname} is an address inside this host or network`),
          '',
          0,
        );
      } else if (options.all === true) {
        callback(null, allowed);
      } else {
        callback(null, first.address, first.family);
      }
    });
  };
}

function wireBody(body: HttpRequest['body']): string | Uint8Array | Readable | null {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    return body ?? null;
  }
  return Readable.from(body, { objectMode: false, highWaterMark: 256 * 1024 });
}

function bodyOf(exchange: Exchange, signal: AbortSignal): HttpBody {
  return {
    async *[Symbol.asyncIterator]() {
      try {
        yield* exchange.pieces();
      } catch (error) {
        throw describe(error, signal);
      }
    },
    discard: () => exchange.discard(),
  };
}

const KINDS: readonly (readonly [HttpFailureKind, readonly string[]])[] = [
  ['refused', ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'EACCES', 'EPERM']],
  ['name', ['ENOTFOUND', 'ENODATA', 'EAI_NONAME', 'EAI_NODATA']],
  ['name-temporary', ['EAI_AGAIN', 'EAI_FAIL']],
  [
    'timeout',
    ['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT'],
  ],
  ['not-tls', ['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'EPROTO']],
  // UND_ERR_INFO and ERR_HTTP2_*: a stream was reset, or the connection said that it goes away.
  [
    'closed',
    [
      'ECONNRESET',
      'EPIPE',
      'UND_ERR_SOCKET',
      'ECONNABORTED',
      'UND_ERR_INFO',
      'ERR_HTTP2_STREAM_ERROR',
      'ERR_HTTP2_SESSION_ERROR',
      'ERR_HTTP2_GOAWAY_SESSION',
      'ERR_HTTP2_INVALID_SESSION',
      'ERR_HTTP2_STREAM_CANCEL',
      'ERR_HTTP2_ERROR',
    ],
  ],
  ['proxy', ['UND_ERR_PRX_TLS']],
  [
    'protocol',
    ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'UND_ERR_HEADERS_OVERFLOW', 'UND_ERR_NOT_SUPPORTED'],
  ],
];

/** Node's names of what OpenSSL says of a certificate have no common prefix. */
const CERTIFICATE_CODE =
  /^(ERR_TLS_CERT_ALTNAME_INVALID|ERR_SSL_.*|.*CERT.*|.*CRL.*|UNABLE_TO_.*|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH)$/;

/** What the system's names of failures mean, where its own words are names again. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: nobody listens there',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  ECONNRESET: 'it closed the connection in the middle',
  UND_ERR_SOCKET: 'it closed the connection in the middle',
  EPIPE: 'it closed the connection in the middle',
  UND_ERR_INFO: 'it broke its answer off',
  ERR_HTTP2_STREAM_ERROR: 'it broke its answer off',
  ERR_HTTP2_SESSION_ERROR: 'it closed the connection in the middle',
  ERR_HTTP2_GOAWAY_SESSION: 'it closed the connection in the middle',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'it took the request and does not answer',
  UND_ERR_BODY_TIMEOUT: 'its answer stopped in the middle',
  ENOTFOUND: 'there is no host of this name',
  EAI_AGAIN: 'the name service does not answer',
};

function describe(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof HttpFailure) return error;
  if (!(error instanceof Error)) return error;
  const [root] = error instanceof AggregateError ? (error.errors as unknown[]) : [error];
  if (root instanceof HttpFailure) return root;
  const code = root instanceof Error && 'code' in root ? String(root.code) : '';
  const words = WORDS[code] ?? (root instanceof Error ? root.message : String(root));
  for (const [kind, codes] of KINDS) {
    if (isErrno(root, ...codes)) return new HttpFailure(kind, words, { cause: error });
  }
  if (root instanceof errorsOfUndici.HTTPParserError)
    return new HttpFailure('protocol', words, { cause: error });
  if (CERTIFICATE_CODE.test(code)) return new HttpFailure('certificate', words, { cause: error });
  return code.startsWith('UND_ERR') ? new HttpFailure('closed', words, { cause: error }) : error;
}
