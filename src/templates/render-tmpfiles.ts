import { OperationalError } from '../errors/operational-error.js';
import { quoteTmpfilesField } from './quote-tmpfiles-field.js';
import type { Template, TemplatePart } from './template.js';
import type { Values } from './values.js';
import { refuseSecret, valueError } from './variable-declaration.js';

/** Type, path, mode, user, group, age; what follows is the argument (tmpfiles.d(5)). */
const FIELDS_BEFORE_ARGUMENT = 6;

/**
 * Renders a tmpfiles.d file. A value stays inside the field in which it stands: blanks, quotes and `\` are quoted as
 * every systemd-tmpfiles reads them, `%` is doubled, control characters are refused; a variable in the place of a line's
 * type may only be empty. In the last field, the argument, blanks stay.
 *
 * @throws {@link OperationalError} VALUE_INVALID naming the variable
 */
export function renderTmpfiles(template: Template, values: Values): string {
  const fields = new FieldCounter();
  let rendered = '';
  for (const part of template.expand(values)) {
    const text = part.kind === 'text' ? part.text : encode(template.name, fields, part);
    fields.feed(text);
    rendered += text;
  }
  if (lineCount(rendered) > MAX_LINES) {
    throw new OperationalError(
      'TMPFILES_INVALID',
      `${template.name} has more than ${MAX_LINES} lines`,
    );
  }
  return rendered;
}

/** Published files have at most ten lines. */
const MAX_LINES = 1_000;

function lineCount(text: string): number {
  return text.split('\n').length;
}

function encode(
  templateName: string,
  fields: FieldCounter,
  part: Extract<TemplatePart, { kind: 'value' }>,
): string {
  refuseSecret(templateName, part);
  const { text } = part.value;
  if (text === '') return '';
  if (/[\u0000-\u001f\u007f-\u009f]/.test(text)) {
    throw valueError(
      part.name,
      `it has a control character, which cannot stand in ${templateName}`,
    );
  }
  if (fields.isComment) return text;
  if (fields.index === 0) {
    throw valueError(part.name, `it stands where a line of ${templateName} needs its type`);
  }
  const doubled = text.replaceAll('%', '%%');
  if (fields.index < FIELDS_BEFORE_ARGUMENT) return quoteTmpfilesField(doubled, fields.quote);
  if (text.includes('\\')) {
    throw valueError(
      part.name,
      `it has a backslash, whose meaning in ${templateName} depends on the type`,
    );
  }
  return doubled;
}

/** Counts the fields of a line: words with quotes and escapes. */
class FieldCounter {
  isComment = false;
  index = 0;
  #inWord = false;
  /** The quotation mark that is open. */
  quote: string | undefined;
  #escaped = false;

  feed(text: string): void {
    for (const character of text) this.#step(character);
  }

  #step(character: string): void {
    if (character === '\n') {
      this.isComment = false;
      this.index = 0;
      this.#inWord = this.#escaped = false;
      this.quote = undefined;
      return;
    }
    if (this.isComment) return;
    const isSpace =
      (character === ' ' || character === '\t') && this.quote === undefined && !this.#escaped;
    if (isSpace) {
      if (this.#inWord) this.index += 1;
      this.#inWord = false;
    } else {
      if (this.index === 0 && !this.#inWord && character === '#') this.isComment = true;
      this.#inWord = true;
      if (!this.#escaped) {
        if (character === this.quote) this.quote = undefined;
        else if (this.quote === undefined && (character === '"' || character === "'")) {
          this.quote = character;
        }
      }
    }
    this.#escaped = character === '\\' && !this.#escaped;
  }
}
