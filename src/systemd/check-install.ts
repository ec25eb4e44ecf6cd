import { quote } from '../base/escape-text.js';
import { unitNameFor, type CheckUnitOptions, type UnitProblem } from './unit-problem.js';
import { parseUnitName, unitTypeOf } from './unit-name.js';
import { listAssignments, type UnitDocument } from './unit-text.js';

/** Where services of images belong. */
const USUAL_TARGETS: ReadonlySet<string> = new Set([
  'multi-user.target',
  'graphical.target',
  'default.target',
  'sockets.target',
  'timers.target',
  'paths.target',
  'network-online.target',
  'network.target',
  'remote-fs.target',
]);

/**
 * Units that the host needs to boot, to stop or to be repaired. A service below them runs before what it can rely on, or
 * takes the host down with it when it fails.
 */
const VITAL_UNITS =
  /^(?:sysinit|basic|local-fs|local-fs-pre|cryptsetup|cryptsetup-pre|veritysetup|integritysetup|swap|rescue|emergency|initrd.*|shutdown|umount|final|reboot|poweroff|halt|kexec|exit|soft-reboot|suspend|hibernate|sleep|hybrid-sleep|suspend-then-hibernate|system-update|system-update-pre|ctrl-alt-del|first-boot-complete|getty|getty-pre|nss-lookup|nss-user-lookup|sigpwr|time-set|time-sync|rpcbind|slices|user|machines|storage-target-mode|factory-reset)\.target$|^(?:dbus|dbus-broker|polkit|sshd?|getty|serial-getty|autovt|console-getty|user|berth)(?:@.*)?\.(?:service|socket)$|^(?:systemd|initrd|plymouth|dracut|berth)-.*$|\.(?:mount|swap|slice|device)$/;

/** What `[Install]` asks for: names that the unit takes and units that would start it. */
export function checkInstall(
  document: UnitDocument,
  options: CheckUnitOptions,
): readonly UnitProblem[] {
  return listAssignments(document).flatMap(({ section, key, value, line }): UnitProblem[] => {
    if (section !== 'Install') return [];
    const words = value.split(/[ \t]+/).filter((word) => word !== '');
    return words.flatMap((word): UnitProblem[] => {
      const problem = checkWord(key, word, options);
      return problem === undefined ? [] : [{ ...problem, line }];
    });
  });
}

function checkWord(
  key: string,
  word: string,
  options: CheckUnitOptions,
): Omit<UnitProblem, 'line'> | undefined {
  switch (key) {
    case 'Alias':
    case 'Also':
      return checkName(key, word, options);
    case 'WantedBy':
    case 'RequiredBy':
    case 'UpheldBy':
      return checkStarter(
        key,
        word.replace(/%[nNpj]/g, (specifier) => meaningOf(specifier, options)),
      );
    default:
      return undefined;
  }
}

/** A unit may be known by, and bring along, units that have its own name; other names belong to others. */
function checkName(
  key: string,
  word: string,
  options: CheckUnitOptions,
): Omit<UnitProblem, 'line'> | undefined {
  if (!isUnitName(word))
    return { severity: 'error', message: `${key}= has ${quote(word)}, which names no unit` };
  const isOwn = word.slice(0, word.lastIndexOf('.')) === options.name;
  if (isOwn || options.allowedNames?.has(word) === true) return undefined;
  return {
    severity: 'error',
    message: `${key}=${word} would ${key === 'Alias' ? 'take the name of' : 'enable'} another unit`,
  };
}

function checkStarter(key: string, word: string): Omit<UnitProblem, 'line'> | undefined {
  if (!isUnitName(word))
    return { severity: 'error', message: `${key}= has ${quote(word)}, which names no unit` };
  if (VITAL_UNITS.test(word)) {
    return { severity: 'error', message: `${key}=${word}: the host depends on that unit` };
  }
  if (USUAL_TARGETS.has(word)) {
    if (key !== 'RequiredBy') return undefined;
    return { severity: 'warning', message: `${key}=${word}: when it fails, so does ${word}` };
  }
  if (unitTypeOf(parseUnitName(word)) === 'target') {
    return {
      severity: 'warning',
      message: `${key}=${word} is not where services are usually started`,
    };
  }
  return key === 'WantedBy'
    ? undefined
    : { severity: 'notice', message: `${word} will not start without it (${key}=)` };
}

/** What a specifier of the unit's own name stands for: an image that has a say in the name could name anything by it. */
function meaningOf(specifier: string, options: CheckUnitOptions): string {
  const prefix = options.name.split('@')[0] ?? options.name;
  if (specifier === '%n') return unitNameFor(options);
  if (specifier === '%N') return options.name;
  return specifier === '%p' ? prefix : prefix.slice(prefix.lastIndexOf('-') + 1);
}

/** Specifiers of the unit's own name are allowed; that of an instance is chosen by who starts it. */
function isUnitName(word: string): boolean {
  try {
    parseUnitName(word.replace(/%[nNpijI]/g, 'x'));
    return true;
  } catch {
    return false; // it threw because it is none
  }
}
