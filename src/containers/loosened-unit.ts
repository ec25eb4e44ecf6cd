import type { ContainerName } from '../base/container-name.js';
import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { isCommand } from '../systemd/directives.js';
import { findPrivileges } from '../systemd/find-privileges.js';
import { OwnPlaces } from '../systemd/tmpfiles-places.js';
import { parseTmpfiles, type TmpfilesEntry } from '../systemd/tmpfiles-text.js';
import { getValue, listAssignments, parseUnit, type UnitDocument } from '../systemd/unit-text.js';
import { newReach } from './loosened-directives.js';
import { loosenedSocket } from './loosened-socket.js';

/** What of a deployment stands beside its container: the text of a unit and of its tmpfiles lines. */
export interface UnitTexts {
  readonly name: ContainerName;
  readonly unit: string | undefined;
  /** What a person is told that it is; `the unit` unless given. */
  readonly title?: string;
  readonly tmpfiles: string | undefined;
  readonly launcher: string | undefined;
  readonly values: Readonly<Record<string, string>>;
}

/** What a unit does on its host that the one before does not, in a person's words. */
export function loosenedUnit(before: UnitTexts, after: UnitTexts): readonly string[] {
  if (after.unit === undefined) return [];
  const document = parseUnit(after.unit);
  const old = before.unit === undefined ? undefined : parseUnit(before.unit);
  const had = new Set(old === undefined ? [] : privilegesOf(old, before).map(({ key }) => key));
  const [oldUser, user] = [old === undefined ? 'root' : userOf(old), userOf(document)];
  const [oldGroup, group] = [old, document].map((unit) => groupOf(unit));
  return [
    ...privilegesOf(document, after).flatMap(({ key, words }) => (had.has(key) ? [] : [words])),
    ...newReach(old, document, {
      name: after.name,
      runsOnHost: hostCommands(document, after).length > 0,
    }),
    ...loosenedSocket(old, document),
    ...(oldUser === 'root' || oldUser === user ? [] : [`runs its commands on the host as ${user}`]),
    ...(oldUser === 'root' || oldGroup === group
      ? []
      : [`has Group=${quote(group ?? '')} in place of ${quote(oldGroup ?? '')}`]),
  ].map((words) => `${after.title ?? 'the unit'} ${words}`);
}

/** Words of the commands of a unit on the host, and of the files that their variables come from: paths among them. */
export function wordsRunOnHost(texts: UnitTexts): ReadonlySet<string> {
  if (texts.unit === undefined) return new Set();
  const document = parseUnit(texts.unit);
  const commands = hostCommands(document, texts);
  const files = commands.length === 0 ? [] : listAssignments(document);
  const values = [
    ...commands,
    ...files.flatMap(({ key, value }) => (key === 'EnvironmentFile' ? [value] : [])),
  ];
  return new Set(values.flatMap((value) => value.replace(/^[-@:+!|]+/, '').split(/[\s"';]+/)));
}

/** All that is run but the container. */
function hostCommands(document: UnitDocument, texts: UnitTexts): readonly string[] {
  const command = commandOf(texts);
  return listAssignments(document).flatMap(({ key, value }) =>
    isCommand(key) && value !== '' && value !== command ? [value] : [],
  );
}

/** The line of the built-in runtime; undefined where another program runs the container. */
function commandOf({ launcher, values }: UnitTexts): string | undefined {
  return launcher === undefined ? undefined : values['EXEC_START'];
}

/** By their whole text: the words are cut where it is long. */
function privilegesOf(
  document: UnitDocument,
  texts: UnitTexts,
): readonly { readonly key: string; readonly words: string }[] {
  const assignments = new Map(listAssignments(document).map((entry) => [entry.line, entry]));
  const { name } = texts;
  const command = commandOf(texts);
  return findPrivileges(document, command === undefined ? { name } : { name, command }).map(
    ({ line, message }) => {
      const { key, value } = assignments.get(line) ?? { key: '', value: message };
      return { key: JSON.stringify([key, value]), words: message };
    },
  );
}

function userOf(document: UnitDocument): string {
  const user = getValue(document, 'Service', 'User') ?? getValue(document, 'Socket', 'User');
  return user === undefined || user === '' || user === '0' ? 'root' : user;
}

/** Empty where it is that of its user. */
function groupOf(unit: UnitDocument | undefined): string {
  return (unit === undefined ? undefined : getValue(unit, 'Service', 'Group')) ?? '';
}

/**
 * Tmpfiles lines for places that are not the container's own. The folder of what is bound into it is not among them, unless it may
 * only be read there and the line opens it to others: that is shown as a mount.
 */
export function newTmpfiles(
  before: UnitTexts,
  after: UnitTexts & {
    /** What of the host is bound into its container, and whether that may write there. */
    readonly bound: ReadonlyMap<string, { readonly isWritable: boolean }>;
  },
): readonly { readonly path: string; readonly words: string }[] {
  const had = new Set(linesOf(before).map(keyOf));
  const values = Object.entries(after.values).map(([name, text]) => [name, { text }] as const);
  const own = new OwnPlaces(after.name, new Map(values));
  return linesOf(after)
    .filter(
      (entry) =>
        !had.has(keyOf(entry)) &&
        !own.has(entry.path) &&
        // With an age it empties the folder, whoever else has files there.
        !(entry.type === 'd' && hasNoAge(entry) && isLent(entry, after.bound.get(entry.path))),
    )
    .map(({ path, raw }) => ({ path, words: `tmpfiles line ${raw.trim().replace(/\s+/g, ' ')}` }));
}

/** Who writes in a folder has it anyway. One that is only read may be root's, and closed to all others. */
function isLent(
  { mode, user, group }: TmpfilesEntry,
  bind: { readonly isWritable: boolean } | undefined,
): boolean {
  if (bind === undefined || bind.isWritable) return bind !== undefined;
  // Without a mode, and with a colon before it, that of a folder which is there stays.
  const isClosed = /^[-:]/.test(mode) || (Number.parseInt(mode.replace('~', ''), 8) & 0o7077) === 0;
  return isClosed && [user, group].every((id) => /^(?:-|0|root)$/.test(id));
}

function hasNoAge({ age }: TmpfilesEntry): boolean {
  return age === '' || age === '-';
}

function keyOf({ type, modifiers, path, ...entry }: TmpfilesEntry): string {
  const { mode, user, group, age, argument } = entry;
  return JSON.stringify([type, modifiers, path, mode, user, group, age, argument]);
}

function linesOf({ tmpfiles }: UnitTexts): readonly TmpfilesEntry[] {
  try {
    return parseTmpfiles(tmpfiles ?? '');
  } catch (error) {
    // What is installed may be of atomic's time, or edited: all that comes is new beside it.
    if (error instanceof OperationalError) return [];
    throw error;
  }
}
