import { appendFileSync, existsSync, statSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';

import type { HttpAnswer } from './ask-http.js';

/*
 * What somebody else's client does who thought of no stranger: the controls of the rows of registries. Nothing here is safe.
 */

type Headers = Readonly<Record<string, string>>;

/** Sends a request to whoever is there, whatever its certificate says. Its body is read up to a break, too. */
export async function naiveAsk(url: string, headers: Headers = {}): Promise<HttpAnswer> {
  const response = await naiveBegin(url, headers);
  const parts: Buffer[] = [];
  await naiveDrain(response, (part) => parts.push(part));
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(parts),
  };
}

/** The beginning of an answer; its body is the caller's. */
export async function naiveBegin(url: string, headers: Headers = {}): Promise<IncomingMessage> {
  const start = url.startsWith('https:') ? httpsRequest : httpRequest;
  return await new Promise((resolve, reject) => {
    const request = start(url, { headers, agent: false, rejectUnauthorized: false });
    request.once('error', reject).once('response', resolve).end();
  });
}

/** Reads to the end, or to what it takes for one: a connection that broke. Whether it was a real one. */
function naiveDrain(response: IncomingMessage, take: (part: Buffer) => void): Promise<boolean> {
  return new Promise((resolve) => {
    response.on('data', take);
    response.once('error', () => {
      resolve(false);
    });
    response.once('end', () => {
      resolve(true);
    });
  });
}

/** Signs in wherever a challenge says: shows the account to the realm that it names. */
export async function naiveSignIn(url: string, authorization: string): Promise<void> {
  const { headers } = await naiveAsk(url);
  const realm = /realm="([^"]+)"/.exec(headers['www-authenticate'] ?? '')?.[1] ?? '';
  await naiveAsk(realm, { authorization });
}

/** Goes on with a file where it ends, and appends whatever is answered to that. Whether the answer came whole. */
export async function naiveResume(url: string, path: string): Promise<boolean> {
  const kept = existsSync(path) ? statSync(path).size : 0;
  const response = await naiveBegin(url, kept === 0 ? {} : { range: `bytes=${kept}-` });
  return naiveDrain(response, (part) => {
    appendFileSync(path, part);
  });
}

/** What a reader of HTTP/1.1 of one's own goes by. */
export type Framing = 'first length' | 'last length' | 'chunks';

/** Reads an answer with a parser that someone wrote in an afternoon. */
export async function naiveRead(url: string, framing: Framing): Promise<string> {
  const { hostname, port, pathname } = new URL(url);
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let received = '';
    socket.setEncoding('latin1');
    socket.on('data', (part: string) => (received += part));
    socket.once('error', reject).once('end', () => {
      socket.destroy();
      resolve(received);
    });
    socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
  });
  const split = text.indexOf('\r\n\r\n');
  const body = text.slice(split + 4);
  if (framing === 'chunks') return joinChunks(body);
  const lengths = [...text.slice(0, split).matchAll(/content-length: (\d+)/gi)];
  const chosen = framing === 'first length' ? lengths[0] : lengths.at(-1);
  return body.slice(0, Number(chosen?.[1]));
}

function joinChunks(body: string): string {
  let content = '';
  for (let rest = body; rest !== '';) {
    const line = rest.indexOf('\r\n');
    const length = Number.parseInt(rest, 16);
    if (line < 0 || !(length > 0)) break;
    content += rest.slice(line + 2, line + 2 + length);
    rest = rest.slice(line + 2 + length + 2);
  }
  return content;
}
