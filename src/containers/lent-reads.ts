import { posix } from 'node:path';

import { quote } from '../base/escape-text.js';
import type { HostPaths } from '../config/host-paths.js';
import { OperationalError } from '../errors/operational-error.js';
import { isCommand } from '../systemd/directives.js';
import { getValues, listAssignments, type UnitDocument } from '../systemd/unit-text.js';
import type { Values } from '../templates/values.js';
import { resolveSpecifiers } from './activator-places.js';
import { covers } from './host-path-policy.js';
import { isAllOfTheHost } from './lent-folders.js';
import type { WrittenPath } from './service-places.js';

/** What is taken, run or mounted by root from where it says, whatever stands there by then. */
const TAKES = new Set([
  ...['BindPaths', 'BindReadOnlyPaths', 'EnvironmentFile', 'ExecSearchPath'],
  ...['ExtensionDirectories', 'ExtensionImages', 'IPCNamespacePath'],
  ...['LoadCredential', 'LoadCredentialEncrypted', 'MountImages', 'NetworkNamespacePath'],
  ...['RootDirectory', 'RootHash', 'RootHashSignature', 'RootImage', 'RootMStack', 'RootVerity'],
  ...['USBFunctionDescriptors', 'USBFunctionStrings', 'UserNamespacePath'],
]);

/** Programs that run what their first path names, and the option after which the text itself stands. */
const INTERPRETERS: readonly (readonly [programs: RegExp, inline: RegExp])[] = [
  [/^[a-z]*sh$/, /^-\w*c$/],
  [/^(?:env|node|perl|(?:python|ruby)[\d.]*)$/, /^-\w*[ce]$/],
];

/**
 * Checks what a unit has root take from folders that its container writes in: environment files, which the service manager itself
 * reads (a FIFO stops it for good) and which say what code the unit's commands load; credentials and folders, which a link would make
 * any of the host (a link of the image would, too, where a folder is bound); programs that it runs there; a pid file, whose process, any of the host, is stopped with it.
 *
 * @throws {@link OperationalError} HOST_PATH_REFUSED; UNIT_INVALID where nobody can tell which path is meant
 */
export function assertTakesNothingLent(
  paths: HostPaths,
  request: {
    readonly unit: string;
    readonly document: UnitDocument;
    readonly allowHostPaths: readonly string[];
    /** Folders of the host that its container may write in. */
    readonly writable: readonly string[];
    readonly values: Values;
  },
): void {
  const { unit, document, allowHostPaths, writable, values } = request;
  const root = `${values.get('DESTDIR')?.text ?? ''}/rootfs/`;
  if (writable.some(isAllOfTheHost)) return;
  for (const { key, written } of pathsTaken(document)) {
    if (writable.length === 0 && !BINDS.has(key)) continue;
    const path = posix.normalize(resolveSpecifiers(paths, { unit, written }));
    if (allowHostPaths.some((folder) => covers(folder, path))) continue;
    const above = writable.find((folder) => covers(folder, path));
    if (above === undefined && !(BINDS.has(key) && path.startsWith(root))) continue;
    const why =
      above === undefined
        ? 'its image could have a link there'
        : `the container may write in ${quote(above)}: it could put anything there, or a link`;
    throw new OperationalError(
      'HOST_PATH_REFUSED',
      `${unit} has root take ${quote(path)} (${key}=), and ${why}`,
      { hint: `allow it with '--allow-host-path ${path}'` },
    );
  }
}

/** What gives the unit a folder under another name, which config.json can bind on. */
const BINDS = new Set(['BindPaths', 'BindReadOnlyPaths']);

function pathsTaken(document: UnitDocument): readonly WrittenPath[] {
  // Of others systemd reads the file when it has reloaded them.
  const readsPid =
    getValues(document, 'Service', 'Type').includes('forking') ||
    listAssignments(document).some(({ key }) => key === 'ExecReload');
  return listAssignments(document).flatMap(({ key, value }): readonly WrittenPath[] => {
    const words = isCommand(key) ? programsOf(value) : wordsOf(key, value, readsPid);
    // What systemd takes away from a word may be what hides a path.
    return words
      .filter((written) => /^[/%]|["'\\]/.test(written))
      .map((written) => ({ key, written }));
  });
}

function wordsOf(key: string, value: string, readsPid: boolean): readonly string[] {
  if (key === 'PIDFile' && readsPid) return [/^[/%]/.test(value) ? value : `%t/${value}`];
  if (!TAKES.has(key)) return [];
  if (key === 'ExecSearchPath') return value.split(':');
  if (key.startsWith('LoadCredential')) return [value.replace(/^[^:]*:/, '')];
  // PATH:PLACE:OPTIONS, -PATH, +PATH
  return value.split(/\s+/).map((word) => word.replace(/^[-+]+/, '').split(':')[0] ?? '');
}

/** Of each command of a line the program, and the file that it runs if it is one that does. */
function programsOf(value: string): readonly string[] {
  return commandsIn(value).flatMap((words) => {
    const [program = '', ...others] = words.map((word) => word.replace(QUOTED, '$2'));
    const path = program.replace(/^[-@:+!|]+/, '');
    return [path, ...scriptOf(posix.basename(path), others)];
  });
}

/** Blanks and semicolons inside of quotes part nothing; a quote that is not closed goes to the end. */
const WORDS = /(?:"(?:[^"\\]|\\[^]?)*(?:"|$)|'(?:[^'\\]|\\[^]?)*(?:'|$)|\\[^]?|[^ \t\n\r"'\\])+/g;

/** A word that stands in quotes as a whole; what systemd takes away from another may be what hides a path. */
const QUOTED = /^(["'])([^"'\\]*)\1$/;

function commandsIn(value: string): readonly (readonly string[])[] {
  const commands: string[][] = [[]];
  for (const [word] of value.matchAll(WORDS))
    if (word === ';') commands.push([]);
    else commands.at(-1)?.push(word);
  return commands;
}

/** The first word that is neither an option nor a variable; what stands in the line itself is in no file. */
function scriptOf(program: string, words: readonly string[]): readonly string[] {
  const inline = INTERPRETERS.find(([programs]) => programs.test(program))?.[1];
  if (inline === undefined) return [];
  for (const word of words) {
    if (inline.test(word)) return [];
    if (!/^-|^["']?\w+=/.test(word)) return [word];
  }
  return [];
}
