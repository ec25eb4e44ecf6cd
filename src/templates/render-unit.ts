import { unitShape } from '../base/unit-lines.js';
import { OperationalError } from '../errors/operational-error.js';
import { encodeUnitValue } from './encode-unit-value.js';
import type { Template } from './template.js';
import { UnitScanner } from './unit-scanner.js';
import type { Values } from './values.js';
import { refuseSecret, valueError } from './variable-declaration.js';

/** systemd stops reading a line at 1 MiB (LONG_LINE_MAX); a whole unit of that size is no unit. */
const MAX_UNIT_LENGTH = 1_048_576;

/**
 * Renders a unit. The text of the template stays as its author wrote it; a value stays inside the directive in which it
 * stands and means itself there, whatever characters it has:
 *
 * - control characters are refused, also a `\` that would join the next line, and `#` or `;` where a line begins;
 * - `%` is doubled (specifiers are the template's to write), except where the directive takes percentages;
 * - in `Exec…=` a value is (part of) one word: blanks, quotes, `\` and `;` are escaped and `$` is doubled, so that
 *   neither systemd nor a second argument comes of it; as the command itself it must not begin with one of `-@:+!|`;
 * - in `Environment=` likewise one word, so `Environment=OPTS=$OPTS` holds `-a -b` whole; a value that stands where the
 *   name of the variable does may not have blanks;
 * - elsewhere it stands as it is: `After=$AFTER` may name several units, `Description=$TEXT` any words;
 * - a variable on a line of its own, or in the place of a key or section, may only be empty.
 *
 * EXEC_START and its like are berth's own unit text and go in as they are.
 *
 * @throws {@link OperationalError} VALUE_INVALID naming the variable and the directive; UNIT_INVALID if the result is too long
 */
export function renderUnit(template: Template, values: Values): string {
  const scanner = new UnitScanner();
  let rendered = '';
  let skeleton = '';
  let lastValue: string | undefined;
  for (const part of template.expand(values)) {
    if (part.kind === 'text') {
      if (part.text === '') continue;
      if (lastValue !== undefined && scanner.place.escaped && part.text.startsWith('\n')) {
        throw valueError(
          lastValue,
          `${template.name} would join the next line to it: it ends in '\\'`,
        );
      }
      scanner.feed(part.text);
      rendered += part.text;
      skeleton += part.text;
      lastValue = undefined;
    } else {
      refuseSecret(template.name, part);
      const encoded = encodeUnitValue(template.name, scanner.place, part);
      if (encoded === '') continue;
      scanner.feed(encoded);
      rendered += encoded;
      skeleton += 'x';
      lastValue = part.name;
    }
    if (rendered.length > MAX_UNIT_LENGTH) {
      throw new OperationalError('UNIT_INVALID', `${template.name} renders to more than 1 MiB`);
    }
  }
  if (lastValue !== undefined && scanner.place.escaped) {
    throw valueError(lastValue, `it would end ${template.name} in '\\'`);
  }
  assertSameShape(template, skeleton, rendered);
  return rendered;
}

/** The last line of defence: by the line rules alone, without the scanner, the directives are those of the template. */
function assertSameShape(template: Template, skeleton: string, rendered: string): void {
  const expected = unitShape(skeleton);
  const actual = unitShape(rendered);
  const different = actual.findIndex((line, index) => line !== expected[index]);
  if (different === -1 && actual.length === expected.length) return;
  throw new OperationalError(
    'VALUE_INVALID',
    `values would change the directives of ${template.name}: expected ${
      expected[different] ?? 'no more'
    }, got ${actual[different] ?? 'no more'}`,
  );
}
