import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';

/** One plain request of a test, without any of the product's client. */
export interface HttpQuestion {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** PEM of the authority that an https server is checked against. */
  readonly ca?: string;
}

/** What was answered. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Sends one request on a connection of its own and reads the answer whole. */
export async function askHttp(url: string | URL, question: HttpQuestion = {}): Promise<HttpAnswer> {
  const { method = 'GET', headers, body, ca } = question;
  const start = new URL(url).protocol === 'https:' ? httpsRequest : httpRequest;
  return await new Promise((resolve, reject) => {
    const request = start(url, {
      method,
      agent: false,
      headers: { ...(body === undefined ? {} : { 'content-length': body.length }), ...headers },
      ...(ca === undefined ? {} : { ca }),
    });
    request.once('error', reject);
    request.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks),
        });
      });
    });
    request.end(body);
  });
}
