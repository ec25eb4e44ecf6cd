import { closeSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';

import { quote } from '../base/escape-text.js';
import { parseStrictJson } from '../base/strict-json.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { ObjectReader } from '../oci/object-reader.js';
import { MAX_RUNTIME_CONFIG_BYTES, parseRuntimeConfig } from '../oci/parse-runtime-config.js';
import type { RuntimeConfig } from '../oci/runtime-config.js';
import { parseHooks, type Hooks } from './hooks.js';

/** A config.json and what of it only a command line has a use for. */
export interface BundleConfig {
  readonly text: string;
  readonly config: RuntimeConfig;
  readonly hooks: Hooks;
}

/** Parses a config.json. @throws {@link OperationalError} RUNTIME_CONFIG_INVALID, JSON_INVALID */
export function parseBundleConfig(text: string): BundleConfig {
  const config = parseRuntimeConfig(text);
  const reader = new ObjectReader(parseStrictJson(text, { what: 'config.json' }), '');
  return { text, config, hooks: parseHooks(reader.object('hooks')) };
}

/**
 * Reads a file that a caller names, which may be a pipe.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID if it is not there, LIMIT_EXCEEDED
 */
export function readDocument(path: string): string {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'ENOTDIR')) throw cause;
    throw new OperationalError(
      'RUNTIME_CONFIG_INVALID',
      `JSON specification file ${quote(path)} not found`,
      { cause },
    );
  }
  try {
    const bytes = Buffer.alloc(MAX_RUNTIME_CONFIG_BYTES + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(fd, bytes, length, bytes.length - length, null);
    }
    if (length < bytes.length) return bytes.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
  throw new OperationalError(
    'LIMIT_EXCEEDED',
    `${quote(path)} is larger than ${MAX_RUNTIME_CONFIG_BYTES} bytes`,
  );
}

/** The root of a bundle as a path of the host without links. @throws {@link OperationalError} RUNTIME_CONFIG_INVALID */
export function findRootfs(bundle: string, config: RuntimeConfig): string {
  const path = isAbsolute(config.root.path) ? config.root.path : join(bundle, config.root.path);
  try {
    const found = realpathSync(resolve(path));
    if (statSync(found).isDirectory()) return found;
  } catch (cause) {
    throw new OperationalError(
      'RUNTIME_CONFIG_INVALID',
      `root.path: ${quote(path)} does not exist`,
      { cause },
    );
  }
  throw new OperationalError(
    'RUNTIME_CONFIG_INVALID',
    `root.path: ${quote(path)} is not a directory`,
  );
}
