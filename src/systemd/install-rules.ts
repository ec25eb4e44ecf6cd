import { quote } from '../base/escape-text.js';
import { lookUp } from '../base/look-up.js';
import { OperationalError } from '../errors/operational-error.js';
import { instanceOf, parseUnitName, templateOf, type UnitName } from './unit-name.js';
import { getValue, getWords, type UnitDocument } from './unit-text.js';

/** What `[Install]` of a unit asks for. */
export interface InstallRules {
  /** Names of links below the unit directory (`multi-user.target.wants/etcd.service`), in the order of systemd. */
  readonly links: readonly string[];
  /** Units that are to be enabled together with it. */
  readonly also: readonly UnitName[];
}

/**
 * The links of `systemctl enable UNIT` (systemd.unit(5), "[Install] Section Options"; src/shared/install.c): Alias=, then
 * WantedBy=, RequiredBy=, UpheldBy=. Enabling a template enables its DefaultInstance=.
 *
 * @throws {@link OperationalError} UNIT_INVALID if a name has a specifier that only a running host can answer;
 *   NAME_INVALID if it is not the name of a unit; SYSTEMD_CALL_FAILED for a template without an instance
 */
export function readInstallRules(unit: UnitName, document: UnitDocument): InstallRules {
  const words = (key: string): readonly UnitName[] =>
    getWords(document, 'Install', key).map((word) => expandName(unit, word));
  const links: string[] = [...words('Alias')];
  const installed = installedName(unit, document);
  for (const [key, suffix] of DEPENDENCIES) {
    for (const target of words(key)) {
      refuseTemplateBelowPlainUnit(installed, target);
      links.push(`${target}.${suffix}/${installed}`);
    }
  }
  return { links, also: words('Also') };
}

/** Whether a unit has anything that enabling could do. */
export function hasInstallRules(document: UnitDocument): boolean {
  return ['Alias', 'Also', 'WantedBy', 'RequiredBy', 'UpheldBy'].some(
    (key) => getWords(document, 'Install', key).length > 0,
  );
}

const DEPENDENCIES = [
  ['WantedBy', 'wants'],
  ['RequiredBy', 'requires'],
  ['UpheldBy', 'upholds'],
] as const;

/** The instance by default of a template, or the unit itself. */
function installedName(unit: UnitName, document: UnitDocument): UnitName {
  const instance = getValue(document, 'Install', 'DefaultInstance');
  return instanceOf(unit) !== '' || instance === undefined
    ? unit
    : parseUnitName(unit.replace('@.', `@${expandSpecifiers(unit, instance)}.`));
}

/** A plain unit cannot want a template, only an instance of it. */
function refuseTemplateBelowPlainUnit(unit: UnitName, target: UnitName): void {
  if (instanceOf(unit) !== '' || instanceOf(target) === '') return;
  throw new OperationalError(
    'SYSTEMD_CALL_FAILED',
    `cannot enable ${quote(unit)}: ${quote(target)} can only want instances of it`,
    { hint: `enable an instance: ${unit.replace('@.', '@INSTANCE.')}` },
  );
}

function expandName(unit: UnitName, word: string): UnitName {
  return parseUnitName(expandSpecifiers(unit, word));
}

/** The specifiers that the name of the unit answers (systemd.unit(5), "Specifiers"). */
function expandSpecifiers(unit: UnitName, text: string): string {
  const stem = unit.slice(0, unit.lastIndexOf('.'));
  const prefix = stem.split('@')[0] ?? stem;
  const instance = instanceOf(unit) ?? '';
  const known: Readonly<Record<string, string>> = {
    '%': '%',
    n: unit,
    N: stem,
    p: prefix,
    i: instance,
    j: prefix.slice(prefix.lastIndexOf('-') + 1),
  };
  return text.replace(/%(.?)/g, (whole, letter: string) => {
    const value = lookUp(known, letter);
    if (value !== undefined) return value;
    throw new OperationalError(
      'UNIT_INVALID',
      `[Install] of ${unit} has the specifier ${quote(whole)}, which only a running host can answer`,
    );
  });
}

/** Whether a link of this name is one of the unit: its own name, or an instance of it where it is a template. */
export function isLinkOf(units: ReadonlySet<string>, name: string): boolean {
  if (units.has(name)) return true;
  try {
    const template = templateOf(parseUnitName(name));
    return template !== undefined && units.has(template);
  } catch (error) {
    if (error instanceof OperationalError) return false; // not the name of a unit, so not ours
    throw error;
  }
}
