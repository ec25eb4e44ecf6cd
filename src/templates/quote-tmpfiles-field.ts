/**
 * A piece of a tmpfiles.d field in quotes where it needs them. Only what systemd-tmpfiles of all versions reads alike:
 * 252 drops a backslash and keeps what follows (`\x20` is `x20`), 257 reads C escapes and refuses unknown ones (`\ `);
 * both know `\\`, `\"` and `\'`. `open` is the quotation mark in which the piece stands already.
 */
export function quoteTmpfilesField(text: string, open?: string): string {
  if (open !== undefined) return escape(text, open);
  return /[\s"'\\]/.test(text) ? `"${escape(text, '"')}"` : text;
}

function escape(text: string, mark: string): string {
  return text.replace(/[\\"']/g, (character) =>
    character === '\\' || character === mark ? `\\${character}` : character,
  );
}
