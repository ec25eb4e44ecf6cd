import { parseHandlebars } from './engine.js';
import { parseStringTemplate } from './string-template.js';
import { decodeTemplate, type Template } from './template.js';

/**
 * Parses a template. The name tells the dialect: `.hbs` is Handlebars, anything else `$NAME`, `${NAME}`, `$$`
 * with the meaning of Python's `string.Template`. Windows line ends become `\n`.
 *
 * @throws {@link OperationalError} TEMPLATE_INVALID with line and column; LIMIT_EXCEEDED above 1 MiB
 */
export function parseTemplate(name: string, content: string | Uint8Array): Template {
  const text = decodeTemplate(name, content);
  return name.endsWith('.hbs') ? parseHandlebars(name, text) : parseStringTemplate(name, text);
}
