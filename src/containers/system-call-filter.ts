import { release } from 'node:os';

import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { formatExactJson } from '../base/format-exact-json.js';
import { ownFile } from '../base/own-files.js';
import { readFile } from '../base/quick-files.js';
import { parseExactJson, type ExactJsonObject, type JsonObject } from '../base/strict-json.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { readHostPlatform } from '../images/host-platform.js';
import { parseRuntimeConfig } from '../oci/parse-runtime-config.js';
import { resolveSeccomp } from '../oci/resolve-seccomp.js';
import { knowsSystemCall } from '../sys/seccomp.js';
import type { DeployedFilter, FilterChoice } from './deployed-filter.js';

/*
 * Which system calls a container may make: what its image's config.json says of it; where the image brings none, the filter in
 * unit-templates/seccomp.json; and in the place of either what the administrator chose.
 */

/** Largest profile; moby's has 17 KB. */
const MAX_PROFILE_BYTES = 1024 * 1024;

/**
 * Reads what `--seccomp` gives: `default`, `unconfined`, or a file.
 *
 * @throws {@link OperationalError} USAGE if there is no such file; LIMIT_EXCEEDED; JSON_INVALID, CONFIG_INVALID
 */
export async function loadFilterChoice(text: string): Promise<FilterChoice> {
  if (text === 'default' || text === 'unconfined') return { kind: text };
  try {
    const bytes = await readFileBounded(text, { maxBytes: MAX_PROFILE_BYTES });
    const profile = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    resolveFor(profile, { file: text, ...PLAINEST });
    return { kind: 'file', file: text, profile };
  } catch (error) {
    if (error instanceof TypeError)
      throw new OperationalError('JSON_INVALID', `${quote(text)} is not UTF-8 text`);
    if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) throw error;
    throw new OperationalError('USAGE', `--seccomp: there is no file ${quote(text)}`, {
      hint: "give a file, or one of the words 'default' and 'unconfined'",
      cause: error,
    });
  }
}

/** Enough to find what is wrong with a profile. */
const PLAINEST = { architecture: 'amd64', capabilities: [] };

/** A config.json as it is filtered. */
export interface FilterRequest {
  readonly choice: FilterChoice;
  /** Whether the config.json is berth's own, for an image that brings none. */
  readonly ownConfig: boolean;
  /** Of the kernel that it is for, in Go's words; this machine's unless given. */
  readonly architecture: string | undefined;
}

/**
 * A config.json with the filter that holds for it: calls that need a capability are in it where the config.json has that.
 *
 * @throws {@link OperationalError} LIBRARY_MISSING without libseccomp; CONFIG_INVALID, RUNTIME_CONFIG_INVALID
 */
export async function withSystemCallFilter(
  config: string,
  request: FilterRequest,
): Promise<{ readonly text: string; readonly filter: DeployedFilter }> {
  const { choice, ownConfig } = request;
  if (choice.kind === 'default' && !ownConfig) return { text: config, filter: { kind: 'image' } };
  const document = parseExactJson(config, { what: 'config.json' }) as ExactJsonObject;
  const linux = (document['linux'] ?? {}) as ExactJsonObject;
  const withFilter = (seccomp: JsonObject | undefined): string =>
    formatExactJson({ ...document, linux: { ...linux, seccomp } });
  if (choice.kind === 'unconfined') return { text: withFilter(undefined), filter: choice };
  const filter: DeployedFilter = choice.kind === 'default' ? { kind: 'berth' } : choice;
  const file = choice.kind === 'file' ? choice.file : ownFile('unit-templates/seccomp.json');
  const seccomp = resolveFor(
    choice.kind === 'file' ? choice.profile : await readFile(file, 'utf8'),
    {
      file,
      architecture: request.architecture ?? readHostPlatform().architecture,
      capabilities: parseRuntimeConfig(config).process.capabilities?.bounding ?? [],
    },
  );
  return { text: withFilter(seccomp), filter };
}

function resolveFor(
  profile: string,
  {
    file,
    ...situation
  }: {
    readonly file: string;
    readonly architecture: string;
    readonly capabilities: readonly string[];
  },
): JsonObject {
  return resolveSeccomp(
    { bytes: Buffer.from(profile), what: `the seccomp profile ${quote(file)}` },
    { ...situation, kernel: release(), knows: knowsSystemCall },
  );
}
