import { templateError, type Template, type TemplatePart } from './template.js';
import { getValue } from './get-value.js';

/**
 * Python's `string.Template` as of 3.11: `$$`, `$NAME`, `${NAME}`; names are ASCII `[_a-z][_a-z0-9]*` in either case
 * (`idpattern` with IGNORECASE and the ASCII flag, which keeps `ı` and `ſ` out).
 */
const PLACEHOLDER = /\$(?:(\$)|([_A-Za-z][_A-Za-z0-9]*)|\{([_A-Za-z][_A-Za-z0-9]*)\}|)/g;

type Piece = { readonly text: string } | { readonly variable: string };

/**
 * Parses the `$NAME` dialect.
 *
 * @throws {@link OperationalError} TEMPLATE_INVALID at a `$` that begins none of the three forms, as Python's `substitute`
 */
export function parseStringTemplate(name: string, text: string): Template {
  const pieces: Piece[] = [];
  const variables = new Set<string>();
  let end = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    const [whole, escaped, named, braced] = match;
    const variable = named ?? braced;
    if (escaped === undefined && variable === undefined) {
      throw templateError(name, {
        text,
        index: match.index,
        problem: "invalid placeholder in string; '$$' gives a dollar sign",
      });
    }
    pieces.push({ text: text.slice(end, match.index) + (escaped ?? '') });
    if (variable !== undefined) {
      variables.add(variable);
      pieces.push({ variable });
    }
    end = match.index + whole.length;
  }
  pieces.push({ text: text.slice(end) });
  return {
    name,
    variables: [...variables],
    uses: (variable) => variables.has(variable),
    expand: (values) =>
      pieces.map((piece): TemplatePart =>
        'text' in piece
          ? { kind: 'text', text: piece.text }
          : {
              kind: 'value',
              name: piece.variable,
              value: getValue(values, piece.variable),
              form: 'plain',
            },
      ),
  };
}
