/** Longest piece of foreign text shown in one message, in characters: a line must stay a line. */
const MAX_SHOWN_CHARACTERS = 200;

/**
 * Gives foreign text (a name from an image, a line of a server) back in a form that is safe on a terminal and in a log:
 * C0, C1, DEL, bidirectional controls and lone surrogates as `\x1b` or `\u202e`, and cut at 200 characters.
 */
export function escapeText(text: string, maxCharacters = MAX_SHOWN_CHARACTERS): string {
  const cut = text.length > maxCharacters ? `${text.slice(0, maxCharacters)}…` : text;
  return cut.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
    (character) => {
      const code = character.charCodeAt(0);
      if (character === '\n') return '\\n';
      if (character === '\t') return '\\t';
      return code < 0x100
        ? `\\x${code.toString(16).padStart(2, '0')}`
        : `\\u${code.toString(16).padStart(4, '0')}`;
    },
  );
}

/** Foreign text in single quotes, as messages show it. */
export function quote(text: string): string {
  return `'${escapeText(text)}'`;
}
