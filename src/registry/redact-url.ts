import { escapeText } from '../base/escape-text.js';

/** A URL as it may be shown: signed queries, user names, passwords and fragments are gone. */
export function redactUrl(url: URL): string {
  const query = url.search === '' ? '' : '?…';
  return escapeText(`${url.protocol}//${url.host}${url.pathname}${query}`);
}
