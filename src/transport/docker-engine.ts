import { request, type IncomingMessage } from 'node:http';

import { quote } from '../base/escape-text.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';

/** Where the engine listens unless DOCKER_HOST says else. */
const DEFAULT_SOCKET = '/var/run/docker.sock';

/** How long the engine may say nothing, in milliseconds: it puts a large image together before the first byte. */
const SILENCE_MS = 300_000;

/** Most of an error's explanation that is read, in bytes. */
const MAX_ERROR_BYTES = 64 * 1024;

/**
 * The engine's socket.
 *
 * @throws OperationalError CONFIG_INVALID if DOCKER_HOST names an engine on another host
 */
export function engineSocket(env: Readonly<Record<string, string | undefined>>): string {
  const host = env['DOCKER_HOST'] ?? '';
  if (host === '') return DEFAULT_SOCKET;
  if (host.startsWith('unix://')) return host.slice('unix://'.length);
  throw new OperationalError(
    'CONFIG_INVALID',
    `DOCKER_HOST is ${quote(host)}: berth speaks to an engine on this host only, through its socket`,
    { hint: 'DOCKER_HOST=unix:///var/run/docker.sock' },
  );
}

/** A call of the engine's interface (Docker Engine API v1.24 and later, which all of its releases since 2016 answer). */
export interface EngineCall {
  readonly socket: string;
  readonly method: 'GET' | 'POST';
  /** `/images/NAME/get`. */
  readonly path: string;
  /** For messages: `cannot read 'etcd:3.5'`. */
  readonly doing: string;
  readonly body?: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

/**
 * Calls the engine and gives its answer, which flows.
 *
 * @throws OperationalError ENGINE_UNAVAILABLE, IMAGE_NOT_FOUND
 */
export async function callEngine(call: EngineCall): Promise<AsyncIterable<Uint8Array>> {
  const { socket, doing } = call;
  let response: IncomingMessage;
  try {
    response = await send(call);
  } catch (error) {
    call.signal.throwIfAborted();
    if (!(error instanceof Error)) throw error;
    const why = isErrno(error, 'ENOENT', 'ECONNREFUSED')
      ? `nobody listens on ${quote(socket)}`
      : error.message;
    throw new OperationalError('ENGINE_UNAVAILABLE', `${doing} from the docker engine: ${why}`, {
      cause: error,
    });
  }
  const status = response.statusCode ?? 0;
  if (status === 200) return response;
  const words = quote((await readError(response)).trim());
  throw new OperationalError(
    status === 404 ? 'IMAGE_NOT_FOUND' : 'ENGINE_UNAVAILABLE',
    `${doing}: the docker engine answered ${status}: ${words}`,
  );
}

function send({ socket, method, path, body, signal }: EngineCall): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath: socket,
      method,
      path,
      signal,
      headers: {
        host: 'docker',
        'user-agent': 'berth',
        ...(body === undefined ? {} : { 'content-type': 'application/x-tar' }),
      },
    });
    outgoing.setTimeout(SILENCE_MS, () => {
      outgoing.destroy(new Error('it does not answer'));
    });
    outgoing.once('error', reject);
    outgoing.once('response', resolve);
    if (body === undefined) outgoing.end();
    else void feed(outgoing, body).catch((error: unknown) => outgoing.destroy(error as Error));
  });
}

async function feed(
  outgoing: NodeJS.WritableStream,
  body: AsyncIterable<Uint8Array>,
): Promise<void> {
  for await (const piece of body) {
    if (outgoing.write(piece)) continue;
    await new Promise<void>((resolve, reject) => {
      outgoing.once('drain', resolve).once('error', reject);
    });
  }
  outgoing.end();
}

async function readError(response: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const piece of response) {
    text += Buffer.from(piece).toString('utf8');
    if (text.length > MAX_ERROR_BYTES) break;
  }
  const message = /"message"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
  return (message ?? text).slice(0, 500);
}
