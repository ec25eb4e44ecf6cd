import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import type { Interference } from './fake-registry.js';

/** Which requests a misbehaviour is for. */
export type Matching = (request: IncomingMessage) => boolean;

/** Requests whose path holds a text. */
export const forPath =
  (part: string): Matching =>
  ({ url = '' }) =>
    url.includes(part);

/** Applies an interference to the first `times` requests that match. */
export function only(
  matching: Matching,
  interference: Interference,
  times = Infinity,
): Interference {
  let left = times;
  return async (request, response) => {
    if (left <= 0 || !matching(request)) return false;
    left--;
    return await interference(request, response);
  };
}

/** Answers with a status, headers and a body. */
export function answer(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array = '',
): Interference {
  return (_request, response) => {
    response.writeHead(status, headers).end(body);
    return true;
  };
}

/** Sends elsewhere. */
export const redirectTo = (location: string, status = 307): Interference =>
  answer(status, { location, 'content-length': '0' });

/** A login page where something else was wanted. */
export const webPage: Interference = answer(
  200,
  { 'content-type': 'text/html; charset=utf-8' },
  '<!DOCTYPE html><title>Sign in</title>',
);

/** Declares the whole size, sends so many bytes of it, and hangs up. Honours ranges, so that a patient client gets there. */
export function cutAfter(content: Uint8Array, bytes: number): Interference {
  return (request, response) => {
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const status = request.headers.range === undefined ? 200 : 206;
    response.writeHead(status, {
      'content-length': String(content.length - start),
      ...(status === 206
        ? { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` }
        : {}),
    });
    const part = content.subarray(start, start + bytes);
    if (start + part.length >= content.length) response.end(part);
    else response.write(part, () => void hangUp(response));
    return true;
  };
}

/** Sends zeros for as long as someone reads. */
export const endless: Interference = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  const chunk = Buffer.alloc(65_536);
  const more = () => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', more);
  more();
  return true;
};

/** Compresses on the way, and says so. */
export const gzipped =
  (content: Uint8Array): Interference =>
  (_request, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(content));
    return true;
  };

/** A byte now and then. */
export function trickle(everyMs: number): Interference {
  return async (_request, response) => {
    response.writeHead(200, { 'content-length': '1000000' });
    while (!response.destroyed) {
      response.write('x');
      await sleep(everyMs, undefined, { ref: false });
    }
    return true;
  };
}

/** Takes the request and says nothing. */
export const silent: Interference = () => true;

/** Writes these bytes to the socket, whatever they are, and hangs up. */
export function rawAnswer(text: string): Interference {
  return (_request, response) => {
    response.socket?.end(text);
    return true;
  };
}

/** Begins a chunk, and never ends what may stand behind its size (RFC 9112, section 7.1.1). */
export const endlessChunkExtension: Interference = async (_request, response) => {
  const { socket } = response;
  socket?.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=');
  while (socket?.destroyed === false) {
    socket.write('y'.repeat(16 * 1024));
    await sleep(1, undefined, { ref: false });
  }
  return true;
};

async function hangUp(response: ServerResponse): Promise<void> {
  await sleep(1); // lets what was written reach the other side before the reset
  response.socket?.destroy();
}
