import type { HttpTimeouts } from './http-timeouts.js';
import type { HttpClient, HttpRequest, HttpResponse } from './http.js';

/** What sends requests. */
export type HttpSender = Pick<HttpClient, 'send'>;

/**
 * An {@link HttpClient} that is loaded with the first request: what is installed from the store asks no registry, and loading
 * undici takes it as long as Node takes to start.
 */
export class LazyHttpClient implements HttpSender, AsyncDisposable {
  readonly #timeouts: HttpTimeouts | undefined;
  #client: Promise<HttpClient> | undefined;

  /** Those of {@link HttpClient} unless given. */
  constructor(timeouts?: HttpTimeouts) {
    this.#timeouts = timeouts;
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    const client = await (this.#client ??= this.#load());
    return await client.send(request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const client = await this.#client;
    await client?.[Symbol.asyncDispose]();
  }

  async #load(): Promise<HttpClient> {
    const { HttpClient } = await import('./http.js');
    return new HttpClient(this.#timeouts);
  }
}
