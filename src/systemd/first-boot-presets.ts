import { closeSync, constants, openSync, readdirSync } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { openInRoot, readFileInRoot } from '../sys/open-in-root.js';

/** What systemd's presets say of a unit. */
export type Preset = 'enable' | 'disable' | 'ignore';

/** Where presets lie (systemd.preset(5)); of two files with one name, that of the first folder counts. */
const FOLDERS = [
  '/etc/systemd/system-preset',
  '/run/systemd/system-preset',
  '/usr/local/lib/systemd/system-preset',
  '/usr/lib/systemd/system-preset',
  '/lib/systemd/system-preset',
];

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;

/** A file of presets has a line a unit; those of distributions are below 4 KiB. */
const MAX_PRESET_BYTES = 1_048_576;

/** `uninitialized` and a line break; an id has 33 bytes. */
const MAX_ID_BYTES = 4096;

interface PresetRule {
  readonly verb: Preset;
  readonly pattern: RegExp;
}

/**
 * What the presets of a tree say of units, if its first boot is still to come: systemd applies them then to all units. Undefined for
 * a tree that was booted before (machine-id(5), "FIRST BOOT SEMANTICS"), which they do not concern any more.
 */
export function readFirstBootPresets(root: string): ((unit: string) => Preset) | undefined {
  const rootFd = openSync(root, DIRECTORY);
  try {
    const id = readIfThere(rootFd, '/etc/machine-id', MAX_ID_BYTES);
    if (id !== undefined && id.trim() !== 'uninitialized') return undefined;
    const rules = presetFiles(rootFd).flatMap((path) =>
      parsePresets(readIfThere(rootFd, path, MAX_PRESET_BYTES) ?? ''),
    );
    // Where nothing speaks of a unit, it is enabled.
    return (unit) => rules.find(({ pattern }) => pattern.test(unit))?.verb ?? 'enable';
  } finally {
    closeSync(rootFd);
  }
}

/** In the order of their names, whatever folder they are in. */
function presetFiles(rootFd: number): readonly string[] {
  const paths = new Map<string, string>();
  for (const folder of FOLDERS) {
    for (const name of listIfThere(rootFd, folder)) {
      if (name.endsWith('.preset') && !paths.has(name)) paths.set(name, `${folder}/${name}`);
    }
  }
  return [...paths].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, path]) => path);
}

function parsePresets(text: string): readonly PresetRule[] {
  return text.split('\n').flatMap((line) => {
    const [, verb, glob] = /^\s*(enable|disable|ignore)\s+(\S+)/.exec(line) ?? [];
    if (verb === undefined || glob === undefined) return [];
    return [{ verb: verb as Preset, pattern: patternOf(glob) }];
  });
}

/** As fnmatch(3) takes it with FNM_NOESCAPE. */
function patternOf(glob: string): RegExp {
  const parts = glob.match(/\[!?\]?[^\]]*\]|[^]/g) ?? [];
  const source = parts.map((part) => {
    if (part === '*') return '.*';
    if (part === '?') return '.';
    if (part.length === 1) return part.replace(/[\\^$.|+(){}[\]]/, '\\$&');
    const inner = part
      .slice(1, -1)
      .replace(/^!/, '^')
      .replace(/[\\\]]/g, '\\$&');
    return `[${inner}]`;
  });
  try {
    return new RegExp(`^${source.join('')}$`);
  } catch {
    return /(?!)/; // a range from the end to the beginning, which fits nothing
  }
}

function readIfThere(rootFd: number, path: string, maxBytes: number): string | undefined {
  try {
    return readFileInRoot(rootFd, path, { maxBytes }).toString('utf8');
  } catch (error) {
    // A link to /dev/null masks a file of another folder, whatever stands there in the tree.
    const isNone = error instanceof OperationalError && error.code === 'LIMIT_EXCEEDED';
    if (isNone || isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

function listIfThere(rootFd: number, folder: string): readonly string[] {
  try {
    const fd = openInRoot(rootFd, folder, { flags: DIRECTORY });
    try {
      return readdirSync(`/proc/self/fd/${fd}`);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}
