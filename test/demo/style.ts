/** Gives text emphasis where the reader's terminal has it. */
export interface Style {
  strong(text: string): string;
  faint(text: string): string;
  good(text: string): string;
  accent(text: string): string;
}

/** Colours on a terminal and without NO_COLOR (no-color.org), plain text otherwise. */
export function chooseStyle(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): Style {
  const coloured =
    stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  const wrap =
    (code: number) =>
    (text: string): string =>
      coloured ? `\u001b[${code}m${text}\u001b[0m` : text;
  return { strong: wrap(1), faint: wrap(2), good: wrap(32), accent: wrap(36) };
}
