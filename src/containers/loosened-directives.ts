import type { ContainerName } from '../base/container-name.js';
import { quote } from '../base/escape-text.js';
import { lookUp } from '../base/look-up.js';
import { listAssignments, type UnitAssignment, type UnitDocument } from '../systemd/unit-text.js';

const YES = /^(?:1|yes|y|true|t|on)$/i;

/** What gives the programs of a service something of the host, or its right to it. */
const REACHING = new Set([
  ...[
    'AmbientCapabilities',
    'AppArmorProfile',
    'BPFDelegateAttachments',
    'BPFDelegateCommands',
    'BPFDelegateMaps',
    'BPFDelegatePrograms',
    'BPFProgram',
    'DeviceAllow',
    'ExtensionDirectories',
  ],
  ...['ExtensionImages', 'IPCNamespacePath', 'MountImages', 'NFTSet', 'NetworkNamespacePath'],
  ...['OpenFile', 'PAMName', 'SELinuxContext', 'SecureBits', 'SmackProcessLabel'],
  ...['SupplementaryGroups', 'TTYPath', 'UserNamespacePath'],
  // Exceptions of what keeps its programs from something.
  ...['ExecPaths', 'IPAddressAllow', 'ReadWriteDirectories', 'ReadWritePaths', 'SocketBindAllow'],
]);

/** The same of those that do so with some values only: root's keys, mounts of its namespace, rights of commands beside the container. */
const REACHING_BY_VALUE: Readonly<Record<string, RegExp>> = {
  KeyringMode: /^shared$/,
  MountFlags: /^r?shared$/,
  PermissionsStartOnly: YES,
  // Of its user, whoever else on the host made them.
  RemoveIPC: YES,
  RootDirectoryStartOnly: YES,
};

/** Folders that systemd makes below a fixed one, and gives to the user of the service. */
const FOLDERS = /^(?:State|Cache|Logs|Configuration|Runtime)Directory$/;

/** What reads a file of the host, or writes one. */
const STREAMS = /^Standard(?:Input|Output|Error)$/;

/** What makes another unit start. */
const STARTING = new Set(['Wants', 'Requires', 'RequiresOverridable', 'Requisite', 'Upholds']);

/** Targets that run nothing for whoever waits for them. */
const PASSIVE =
  /^(?:basic|sysinit|(?:network|local-fs|remote-fs|time-set|time-sync|nss-lookup|nss-user-lookup)(?:-pre|-online)?)\.target$/;

/** Whether a unit that is waited for runs nothing of its own. */
export function isPassiveTarget(unit: string): boolean {
  return PASSIVE.test(unit);
}

/** What a command of the unit on the host goes by, beside its own words. */
const SURROUNDINGS = new Set([
  'Environment',
  'ExecSearchPath',
  'StandardInputData',
  'StandardInputText',
  'UnsetEnvironment',
  'WorkingDirectory',
]);

/** What keeps the programs of a service from something. */
const PROTECTION =
  /^(?:CapabilityBoundingSet|DevicePolicy|DynamicUser|IP(?:AddressDeny|(?:Ingress|Egress)FilterPath)|InaccessibleDirectories|InaccessiblePaths|LockPersonality|MemoryDenyWriteExecute|NoExecPaths|NoNewPrivileges|Private[A-Z]\w*|ProcSubset|Protect[A-Z]\w*|ReadOnlyDirectories|ReadOnlyPaths|Restrict(?!Kill)[A-Z]\w*|SocketBindDeny|SystemCall(?:Architectures|Filter)|TemporaryFileSystem)$/;

/** What a unit gets at on its host by its directives, beside those that are privileges at every installation; words of a person. */
export function newReach(
  before: UnitDocument | undefined,
  after: UnitDocument,
  context: { readonly name: ContainerName; readonly runsOnHost: boolean },
): readonly string[] {
  const old = before === undefined ? [] : listAssignments(before);
  const now = listAssignments(after);
  const had = new Set(old.map(keyOf));
  const gained = now.flatMap((assignment) =>
    reachesOf(assignment, context).filter(({ key }) => !hasReach(old, key, context)),
  );
  return [
    ...gained.map(({ words }) => words),
    ...now
      .filter(({ key }) => context.runsOnHost && SURROUNDINGS.has(key))
      .filter((assignment) => assignment.value !== '' && !had.has(keyOf(assignment)))
      .map(({ key, value }) => `has ${key}=${quote(value)} for its commands on the host`),
    ...lostProtection(old, now),
  ];
}

/** The same of what is installed for the first time, where what the linter tells of any unit is told already. */
export function firstReach(document: UnitDocument, name: ContainerName): readonly string[] {
  return listAssignments(document)
    .filter(({ key }) => key !== 'RequiredBy')
    .flatMap((assignment) => reachesOf(assignment, { name }).map(({ words }) => words));
}

interface Reach {
  /** By its whole text: the words are cut where it is long. */
  readonly key: string;
  readonly words: string;
}

function reachesOf(
  assignment: UnitAssignment,
  { name }: { readonly name: ContainerName },
): readonly Reach[] {
  const { key, value } = assignment;
  const all = value.split(/[ \t]+/).filter((word) => word !== '');
  if (STARTING.has(key))
    return all
      .filter((unit) => !isPassiveTarget(unit))
      .map((unit) => ({
        key: JSON.stringify(['start', unit]),
        words: `starts ${quote(unit)} (${key}=)`,
      }));
  if (key === 'RequiredBy')
    return all.map((unit) => ({
      key: JSON.stringify(['needed', unit]),
      words: `keeps ${quote(unit)} from starting where it fails (RequiredBy=)`,
    }));
  const isReach =
    (REACHING.has(key) && value !== '') ||
    lookUp(REACHING_BY_VALUE, key)?.test(value) === true ||
    (STREAMS.test(key) && /^(?:file|append|truncate|fd|tty.*):?/.test(value)) ||
    (FOLDERS.test(key) && !all.every((word) => isOwnFolder(word, name)));
  return isReach ? [{ key: keyOf(assignment), words: `has ${key}=${quote(value)}` }] : [];
}

/** `FOLDER:LINK:FLAGS`, of which the link, too, has a place. */
function isOwnFolder(word: string, name: ContainerName): boolean {
  return word
    .split(':')
    .slice(0, 2)
    .every((path) => path === '' || path === name || path.startsWith(`${name}/`));
}

function hasReach(
  old: readonly UnitAssignment[],
  key: string,
  context: { readonly name: ContainerName },
): boolean {
  return old.some((assignment) => reachesOf(assignment, context).some((had) => had.key === key));
}

/** In order: a line after another one may take it back. */
function lostProtection(
  old: readonly UnitAssignment[],
  now: readonly UnitAssignment[],
): readonly string[] {
  const kept = new Set(old.filter(({ key }) => PROTECTION.test(key)).map(({ key }) => key));
  return [...kept].flatMap((name) => {
    const [had, has] = [old, now].map((list) =>
      list.filter(({ key }) => key === name).map(({ value }) => value),
    );
    if (JSON.stringify(had) === JSON.stringify(has)) return [];
    const text = (values: readonly string[] = []): string => quote(values.join(' '));
    return has?.length === 0
      ? [`no longer has ${name}=${text(had)}`]
      : [`has ${name}=${text(has)} in place of ${text(had)}`];
  });
}

function keyOf({ key, value }: UnitAssignment): string {
  return JSON.stringify([key, value]);
}
