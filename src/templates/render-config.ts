import { escapeText, quote } from '../base/escape-text.js';
import { formatExactJson } from '../base/format-exact-json.js';
import {
  parseExactJson,
  parseStrictJson,
  type ExactJsonObject,
  type JsonObject,
  type JsonValue,
} from '../base/strict-json.js';
import { OperationalError } from '../errors/operational-error.js';
import { isJsonObject } from './exports-manifest.js';
import { JsonScanner } from './json-scanner.js';
import { readFragment } from './json-fragment.js';
import type { Template, TemplatePart } from './template.js';
import type { Values } from './values.js';
import { refuseSecret, valueError } from './variable-declaration.js';

/** A rendered `config.json`. */
export interface RenderedConfig {
  /** As it is written to the deployment. */
  readonly text: string;
  readonly value: JsonObject;
  /** Annotations that were left out, because a runtime would take orders from them. */
  readonly droppedAnnotations: readonly string[];
}

/** Published configurations are below 20 KiB. */
const MAX_CONFIG_LENGTH = 4_194_304;

/**
 * Renders `config.json`. Inside a JSON string a value is text, whatever it holds: it is escaped as JSON, so it comes out
 * of the parsed tree unchanged. Outside of strings it is a fragment of JSON, as published images use it for lists of
 * mounts and capabilities: nothing at all, or whole items (or members) with the commas that join them to
 * their neighbours; after a `:`, one value that is a scalar or a list of scalars. It cannot close what it did not open.
 *
 * @throws {@link OperationalError} VALUE_INVALID naming the variable; JSON_INVALID if the template itself is not JSON
 */
export function renderConfig(template: Template, values: Values): RenderedConfig {
  const scanner = new JsonScanner();
  const fragments: string[] = [];
  let text = '';
  for (const part of template.expand(values)) {
    const piece = part.kind === 'text' ? part.text : place(template.name, scanner, part);
    if (part.kind === 'value' && !scanner.inString && piece.trim() !== '')
      fragments.push(part.name);
    scanner.feed(piece);
    text += piece;
    if (text.length > MAX_CONFIG_LENGTH) {
      throw new OperationalError('LIMIT_EXCEEDED', `${template.name} renders to more than 4 MiB`);
    }
  }
  return withoutOrders(text, parseRendered(template.name, text, fragments));
}

/** Parses a `config.json` that is no template. */
export function parsePlainConfig(source: string | Uint8Array): RenderedConfig {
  if (source.length > MAX_CONFIG_LENGTH) {
    throw new OperationalError(
      'LIMIT_EXCEEDED',
      'config.json is larger than 4 MiB, refusing to read it',
    );
  }
  const text = typeof source === 'string' ? source : Buffer.from(source).toString('utf8');
  return withoutOrders(
    text,
    requireObject('config.json', parseStrictJson(source, { what: 'config.json' })),
  );
}

/** What the OCI and berth define; everything else may be an order to one runtime or another. */
const HARMLESS_ANNOTATION = /^(?:org\.opencontainers\.image\.|berth\.)/;

/**
 * Leaves out annotations by which runtimes are told things that the rest of a config.json is checked for: settings of the
 * unit (`org.systemd.property.*`), hooks, other cgroups (`run.oci.*`). The built-in runtime reads none of them, others do
 * (CVE-2024-3154 of CRI-O). A document without such is kept as it was written.
 */
function withoutOrders(text: string, value: JsonObject): RenderedConfig {
  const { annotations } = value;
  const names = isJsonObject(annotations) ? Object.keys(annotations) : [];
  const droppedAnnotations = names.filter((name) => !HARMLESS_ANNOTATION.test(name));
  if (!isJsonObject(annotations) || droppedAnnotations.length === 0) {
    return { text, value, droppedAnnotations: [] };
  }
  const kept = Object.fromEntries(
    Object.entries(annotations).filter(([name]) => HARMLESS_ANNOTATION.test(name)),
  );
  const exact = parseExactJson(text, { what: 'config.json' }) as ExactJsonObject;
  return {
    text: formatExactJson({ ...exact, annotations: kept }),
    value: { ...value, annotations: kept },
    droppedAnnotations,
  };
}

function place(
  templateName: string,
  scanner: JsonScanner,
  part: Extract<TemplatePart, { kind: 'value' }>,
): string {
  if (scanner.escaped) {
    throw new OperationalError(
      'TEMPLATE_INVALID',
      `${templateName} cannot be rendered: a backslash stands before the variable ${part.name}`,
    );
  }
  const { text, typed } = part.value;
  if (!scanner.inString && part.form !== 'json') refuseSecret(templateName, part);
  if (scanner.inString) {
    if (part.form === 'json') {
      throw new OperationalError(
        'TEMPLATE_INVALID',
        `${templateName} cannot be rendered: {{json ${part.name}}} stands inside a string`,
      );
    }
    return JSON.stringify(text).slice(1, -1);
  }
  if (part.form === 'json') return ` ${JSON.stringify(typed)} `;
  const problem = readFragment(text, scanner.context);
  if (problem !== undefined) {
    throw valueError(part.name, `${problem} (it stands outside of a string in ${templateName})`);
  }
  // Blanks around it: it never becomes one token with what stands beside it.
  return ` ${text} `;
}

function parseRendered(name: string, text: string, fragments: readonly string[]): JsonObject {
  try {
    return requireObject(name, parseStrictJson(text, { what: name }));
  } catch (error) {
    if (!(error instanceof OperationalError) || fragments.length === 0) throw error;
    throw new OperationalError(
      'VALUE_INVALID',
      `values of ${fragments.join(', ')} do not fit into ${name}: ${escapeText(error.message, 400)}`,
      {
        cause: error,
        hint: 'such a value brings the commas that join it to the items beside it, and stands for nothing when it is empty',
      },
    );
  }
}

function requireObject(name: string, value: JsonValue): JsonObject {
  if (isJsonObject(value)) return value;
  throw new OperationalError('JSON_INVALID', `${quote(name)} is not a JSON object`);
}
