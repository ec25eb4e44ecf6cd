/**
 * The syntax of unit files, as systemd's own reader has it (src/shared/conf-parser.c, `config_parse`; systemd.syntax(7)):
 * a line whose backslashes at the end are odd in number goes on in the next one, comment lines inside such a run are
 * skipped, and `\r` and NUL end a line as `\n` does (src/basic/fileio.c, `read_line`), so both are refused before this.
 * Lossless: the raw text of all lines, joined, is the file.
 */
export type UnitLine =
  | {
      readonly kind: 'blank' | 'comment' | 'malformed';
      readonly raw: string;
      readonly line: number;
    }
  | {
      readonly kind: 'section';
      readonly raw: string;
      /** 1-based. */
      readonly line: number;
      readonly section: string;
    }
  | {
      readonly kind: 'assignment';
      readonly raw: string;
      readonly line: number;
      /** `''` before the first section header. */
      readonly section: string;
      readonly key: string;
      /** Continuation lines joined, each backslash-newline one space; outer white space removed. */
      readonly value: string;
    };

/** Splits the text of a unit into logical lines. Never fails: what is neither of the known kinds is `malformed`. */
export function splitUnitLines(text: string): readonly UnitLine[] {
  const lines: UnitLine[] = [];
  let section = '';
  for (const { raw, joined, line } of joinContinuations(text)) {
    const content = joined.replace(/^[ \t]+|[ \t]+$/g, '');
    const equals = content.indexOf('=');
    if (content === '') lines.push({ kind: 'blank', raw, line });
    else if (/^[#;]/.test(content)) lines.push({ kind: 'comment', raw, line });
    else if (content.startsWith('[')) {
      if (content.endsWith(']')) {
        section = content.slice(1, -1);
        lines.push({ kind: 'section', raw, line, section });
      } else lines.push({ kind: 'malformed', raw, line });
    } else if (equals <= 0) lines.push({ kind: 'malformed', raw, line });
    else {
      const key = content.slice(0, equals).replace(/[ \t]+$/, '');
      const value = content.slice(equals + 1).replace(/^[ \t]+/, '');
      lines.push({ kind: 'assignment', raw, line, section, key, value });
    }
  }
  return lines;
}

/** Directives in order, without their values: what a value may never change. */
export function unitShape(text: string): readonly string[] {
  return splitUnitLines(text)
    .filter((line) => line.kind !== 'blank' && line.kind !== 'comment')
    .map((line) => {
      if (line.kind === 'assignment') return `[${line.section}] ${line.key}=`;
      return line.kind === 'section' ? `[${line.section}]` : `malformed ${line.raw.trim()}`;
    });
}

function* joinContinuations(
  text: string,
): Generator<{ raw: string; joined: string; line: number }> {
  let raw = '';
  let joined = '';
  let start = 1;
  let number = 0;
  let continued = false;
  for (const physical of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    number += 1;
    if (!continued) start = number;
    raw += physical;
    const content = physical.replace(/\n$/, '');
    if (/^[ \t]*[#;]/.test(content)) {
      if (continued) continue;
      joined = content;
    } else {
      joined += content;
      if (endsInOddBackslashes(joined)) {
        joined = `${joined.slice(0, -1)} `;
        continued = true;
        continue;
      }
    }
    yield { raw, joined, line: start };
    raw = joined = '';
    continued = false;
  }
  if (raw !== '') yield { raw, joined, line: start };
}

function endsInOddBackslashes(text: string): boolean {
  return (/\\+$/.exec(text)?.[0].length ?? 0) % 2 === 1;
}
