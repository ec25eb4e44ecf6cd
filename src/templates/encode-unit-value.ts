import { OperationalError } from '../errors/operational-error.js';
import type { TemplatePart } from './template.js';
import type { UnitPlace } from './unit-scanner.js';
import { valueError } from './variable-declaration.js';

type ValuePart = Extract<TemplatePart, { kind: 'value' }>;

/** Command lines: words with quotes, C escapes, specifiers and `$VARIABLE` (systemd.service(5), "Command lines"). */
const COMMAND_KEY =
  /^Exec(?:Start|StartPre|StartPost|Condition|Reload|Stop|StopPre|StopPost|ReloadPost)$/;
/** Lists of words with quotes, C escapes and specifiers, but no `$VARIABLE`. */
const WORD_KEY = /^(?:Environment|LogExtraFields|SetCredential|SetCredentialEncrypted)$/;
/** Directives that take a percentage and know no specifiers: doubling `%` would break them. */
const PERCENT_KEY =
  /^(?:CPUQuota|TasksMax|(?:Startup|Default|DefaultStartup)?Memory(?:Min|Low|High|Max|SwapMax|ZSwapMax)|ManagedOOMMemoryPressureLimit|(?:State|Cache|Logs)DirectoryQuota)$/;

/**
 * The text that stands for a value at a place of a unit; see {@link renderUnit} for the rules.
 *
 * @throws {@link OperationalError} VALUE_INVALID
 */
export function encodeUnitValue(templateName: string, place: UnitPlace, part: ValuePart): string {
  const { text } = part.value;
  if (text === '' && part.form === 'plain') return '';
  refuseControlCharacters(templateName, part);
  switch (place.mode) {
    case 'comment':
      return text;
    case 'line-start':
    case 'header':
    case 'key':
      throw valueError(part.name, `it stands where ${templateName} needs a directive`);
    case 'value':
      break;
  }
  if (place.escaped) {
    throw new OperationalError(
      'TEMPLATE_INVALID',
      `${templateName} cannot be rendered: a backslash stands before the variable ${part.name}`,
    );
  }
  if (place.atLineStart && /^\s*[#;]/.test(text)) {
    throw valueError(part.name, `it would begin a comment in ${templateName}`);
  }
  if (part.value.isUnitSyntax) return text;
  return part.form === 'json'
    ? encodeInDirective(place, part, JSON.stringify(part.value.typed))
    : encodeInDirective(place, part, text);
}

function encodeInDirective(place: UnitPlace, part: ValuePart, text: string): string {
  const isQuoted = part.form === 'unit-quoted';
  const percent = PERCENT_KEY.test(place.key) ? text : text.replaceAll('%', '%%');
  if (COMMAND_KEY.test(place.key)) {
    if (place.wordIndex === 0) refuseAsCommand(place, part);
    // After the prefix ':' systemd leaves '$' alone, so a doubled one would stay two.
    const dollar = /^[-@+!|]*:/.test(place.firstWord) ? percent : percent.replaceAll('$', '$$$$');
    return isQuoted ? `"${escapeWord(dollar)}"` : escapeWord(dollar);
  }
  if (WORD_KEY.test(place.key)) {
    if (place.atWordStart && !isQuoted && /\s/.test(text)) {
      throw valueError(
        part.name,
        `in ${place.key}= it stands where the name of a variable does, so it cannot have blanks`,
      );
    }
    return isQuoted ? `"${escapeWord(percent)}"` : escapeWord(percent);
  }
  return isQuoted ? `"${escapeWord(percent)}"` : percent;
}

/** C escapes hold inside and outside of both kinds of quotes (`extract_first_word()` with EXTRACT_CUNESCAPE). */
function escapeWord(text: string): string {
  return text.replace(/[\\"' ;]/g, (character) => {
    if (character === ' ') return '\\x20';
    if (character === ';') return '\\x3b';
    return `\\${character}`;
  });
}

/** The first word is a path with prefixes that grant privileges (`+`, `!`) or hide failures (`-`); `$` is not expanded in it. */
function refuseAsCommand(place: UnitPlace, part: ValuePart): void {
  const { text } = part.value;
  if (/^[-@:+!|]*$/.test(place.firstWord) && !/^[/A-Za-z0-9_]/.test(text)) {
    throw valueError(part.name, `in ${place.key}= it is the command and cannot begin so`);
  }
  if (text.includes('$')) {
    throw valueError(part.name, `in ${place.key}= it is the command and cannot have a '$'`);
  }
}

/** C0, DEL and C1: `\n`, `\r` and NUL end a line for systemd; the others have no meaning that a unit needs. */
function refuseControlCharacters(templateName: string, part: ValuePart): void {
  const strange = /[\u0000-\u001f\u007f-\u009f]/.exec(part.value.text);
  if (strange === null) return;
  const code = strange[0].charCodeAt(0).toString(16).padStart(2, '0');
  throw valueError(
    part.name,
    `it has the control character \\x${code}, which cannot stand in ${templateName}`,
  );
}
