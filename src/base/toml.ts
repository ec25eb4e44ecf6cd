import { parse, TomlError } from 'smol-toml';

import { OperationalError } from '../errors/operational-error.js';

/** Parses a TOML document (the format of registries.conf and berth.conf) into plain values of unknown shape. */
export function parseToml(text: string, what: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text);
  } catch (cause) {
    const line = cause instanceof TomlError ? `line ${cause.line}: ` : '';
    const said = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : '';
    const problem = said.replace(/^Invalid TOML document: /, '');
    throw new OperationalError('CONFIG_INVALID', `${what} is not valid TOML: ${line}${problem}`, {
      cause,
    });
  }
}
