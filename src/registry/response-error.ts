import { escapeText, quote } from '../base/escape-text.js';
import { parseStrictJson, type JsonObject, type JsonValue } from '../base/strict-json.js';
import type { ErrorCode } from '../errors/catalogue.js';
import { OperationalError } from '../errors/operational-error.js';
import { hideSecrets, type SentSecrets } from './hide-secrets.js';
import type { HttpResponse } from './http.js';
import { readBounded } from './read-bounded.js';
import { redactUrl } from './redact-url.js';

/** Most of an error body that is read, in bytes: the specification's error lists have some hundred. */
const MAX_ERROR_BODY_BYTES = 64 * 1024;

/** Most entries of an error list that are shown. */
const MAX_SHOWN_DIAGNOSTICS = 3;

const RETRYABLE_STATUSES = [408, 425, 429, 500, 502, 503, 504];

/** An answer of a registry that is not what was asked for (distribution-spec v1.1, "Error Codes"). */
export class RegistryResponseError extends OperationalError {
  override readonly name = 'RegistryResponseError';
  readonly method: string;
  /** Without credentials and query. */
  readonly url: string;
  readonly status: number;
  /** The server's words: `MANIFEST_UNKNOWN: manifest unknown`; escaped and shortened. */
  readonly diagnostics: readonly string[];
  /** How long the server asks to wait, in milliseconds; undefined if it does not say. Not clamped. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    answer: {
      readonly method: string;
      readonly url: URL;
      readonly status: number;
      readonly diagnostics: readonly string[];
      readonly retryAfterMs?: number | undefined;
      readonly hint?: string | undefined;
    },
  ) {
    super(codeOf(answer.status), message, { hint: answer.hint });
    this.method = answer.method;
    this.url = redactUrl(answer.url);
    this.status = answer.status;
    this.diagnostics = answer.diagnostics;
    this.retryAfterMs = answer.retryAfterMs;
  }

  /** Whether the same request may succeed a little later. */
  get retryable(): boolean {
    return RETRYABLE_STATUSES.includes(this.status);
  }
}

/** Makes an error of an answer: reads its body up to a limit and takes the server's words out of it, but for what was sent in confidence. */
export async function toResponseError(
  response: HttpResponse,
  asked: SentSecrets & {
    readonly method: string;
    readonly doing: string;
    readonly hints?: ResponseHints | undefined;
  },
): Promise<RegistryResponseError> {
  const diagnostics = await readDiagnostics(response, asked);
  const words = diagnostics.length === 0 ? '' : `: ${diagnostics.join('; ')}`;
  return new RegistryResponseError(
    `${asked.doing}: ${quote(asked.url.host)} answered ${response.status}${words}`,
    {
      method: asked.method,
      url: asked.url,
      status: response.status,
      diagnostics,
      retryAfterMs: parseRetryAfter(response.headers['retry-after']),
      hint: asked.hints?.[response.status],
    },
  );
}

/** What can be done, by the status of the answer. */
export type ResponseHints = Readonly<Partial<Record<number, string>>>;

/** What can be done about a login that is missing or was refused; registries do not tell what is not there from what is not for everyone. */
export function loginHints(
  registry: string,
  { hasAccount }: { readonly hasAccount: boolean },
): ResponseHints {
  const login = `berth login -u NAME ${registry}`;
  const missing = `check the name; a private image needs a login: ${login}`;
  return hasAccount
    ? {
        401: `the account was refused: check its name and password (${login})`,
        403: `the account may not do this; another one is taken with ${login}`,
      }
    : { 401: missing, 403: missing };
}

/** Seconds or an HTTP date (RFC 9110, section 10.2.3), as milliseconds from now; undefined for anything else. */
export function parseRetryAfter(
  header: string | undefined,
  nowMs = Date.now(),
): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,15}$/.test(header)) return Number(header) * 1000;
  const dateMs = /[A-Za-z]{3}, /.test(header) ? Date.parse(header) : NaN;
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs);
}

function codeOf(status: number): ErrorCode {
  if (status === 401 || status === 403) return 'REGISTRY_UNAUTHORIZED';
  if (status === 404) return 'REGISTRY_NOT_FOUND';
  if (RETRYABLE_STATUSES.includes(status)) return 'REGISTRY_TEMPORARY';
  return 'REGISTRY_PROTOCOL';
}

async function readDiagnostics(
  response: HttpResponse,
  sent: SentSecrets,
): Promise<readonly string[]> {
  let body: Buffer;
  try {
    body = await readBounded(response.body, MAX_ERROR_BODY_BYTES);
  } catch {
    return []; // the status alone has to do: why the explanation did not come is of no interest
  }
  const text = hideSecrets(body.toString('utf8').trim(), sent);
  if (text === '') return [];
  if (/^<(!doctype|html|\?xml)/i.test(text)) return ['a web page'];
  const listed = listErrors(text);
  return listed.length > 0 ? listed : [quote(text.split('\n', 1)[0] ?? '')];
}

function listErrors(text: string): readonly string[] {
  let value: JsonValue;
  try {
    value = parseStrictJson(text, { what: 'the error', maxDepth: 32 });
  } catch {
    return []; // not the specification's form: shown as it is
  }
  const errors = memberOf(value, 'errors');
  if (!Array.isArray(errors)) return [];
  return (errors as readonly JsonValue[]).slice(0, MAX_SHOWN_DIAGNOSTICS).flatMap((error) => {
    const words = ['code', 'message']
      .map((key) => memberOf(error, key))
      .filter((word): word is string => typeof word === 'string' && word !== '');
    return words.length === 0 ? [] : [escapeText(words.join(': '))];
  });
}

function memberOf(value: JsonValue | undefined, key: string): JsonValue | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)[key]
    : undefined;
}
