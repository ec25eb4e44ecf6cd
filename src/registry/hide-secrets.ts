/** Shorter ones are left as they are: they would take words out of every text, and hide nothing. */
const MIN_SECRET_CHARACTERS = 4;

/** What anybody may know of a query; all else may be a signature. */
const PUBLIC_PARAMETERS = ['scope', 'service', 'account', 'digest', 'mount', 'from', 'n', 'last'];

/** What of a request must not be shown again, should the server repeat it in its answer. */
export interface SentSecrets {
  /** The header of that name. */
  readonly authorization?: string | undefined;
  /** What stands in the body: a refresh token. */
  readonly body?: string | undefined;
  /** Whose query may be a signature, which is as good as a password to the store behind it. */
  readonly url: URL;
}

/**
 * Takes what was sent in confidence out of a server's words: debugging servers and proxies repeat the headers that they got, and
 * what berth writes ends in journals.
 */
export function hideSecrets(text: string, sent: SentSecrets): string {
  let shown = text;
  for (const secret of listSecrets(sent)) {
    for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) {
      shown = shown.replaceAll(form, '…');
    }
  }
  return shown;
}

/** The longest first: a part must not be taken out of the whole that holds it. */
function listSecrets({ authorization = '', body, url }: SentSecrets): readonly string[] {
  const [scheme = '', value = ''] = authorization.split(' ', 2);
  const pair = scheme === 'Basic' ? Buffer.from(value, 'base64').toString('utf8') : '';
  const password = pair.slice(pair.indexOf(':') + 1);
  const signatures = [...url.searchParams]
    .filter(([name]) => !PUBLIC_PARAMETERS.includes(name))
    .map(([, parameter]) => parameter);
  return [value, pair, password, body ?? '', ...signatures]
    .filter((secret) => secret.length >= MIN_SECRET_CHARACTERS)
    .sort((a, b) => b.length - a.length);
}
