import { getWords, listAssignments, parseUnit, type UnitDocument } from '../systemd/unit-text.js';

/** A unit by name, and its text. */
export interface NamedUnit {
  readonly unit: string;
  readonly text: string;
}

/** What sockets, timers and paths wait for. */
const WAITS =
  /^(?:Listen[A-Z]\w*|On[A-Z]\w*|PathExists|PathExistsGlob|PathChanged|PathModified|DirectoryNotEmpty)$/;

/** Who starts a service, from its text and those of the units that start it, in a person's words. */
export function describeStarters(
  [service, ...activators]: readonly NamedUnit[],
  options: { readonly enable: boolean },
): readonly string[] {
  const starters = [
    ...activators.flatMap((activator) => describeActivator(activator, options)),
    ...(service === undefined ? [] : installedBy(parseUnit(service.text), options)),
  ];
  return starters.length === 0 ? ['by hand only (systemctl start)'] : starters;
}

function describeActivator(
  { unit, text }: NamedUnit,
  options: { readonly enable: boolean },
): readonly string[] {
  const document = parseUnit(text);
  const waits = listAssignments(document).filter(
    ({ section, key, value }) =>
      /^(?:Socket|Timer|Path)$/.test(section) && WAITS.test(key) && value !== '',
  );
  const starters = installedBy(document, options);
  const when = starters.length === 0 ? 'started by hand only' : `up ${starters.join(' and ')}`;
  return [`by ${unit} (${waits.map(({ key, value }) => `${key}=${value}`).join(', ')}), ${when}`];
}

function installedBy(
  unit: UnitDocument,
  { enable }: { readonly enable: boolean },
): readonly string[] {
  if (!enable) return [];
  return [
    ...getWords(unit, 'Install', 'WantedBy').map((by) => describeTarget(by, 'wants')),
    ...getWords(unit, 'Install', 'RequiredBy').map((by) => describeTarget(by, 'requires')),
  ];
}

/** Targets that every boot comes to. */
const AT_BOOT = /^(?:multi-user|default|graphical|sockets|timers|paths)\.target$/;

function describeTarget(unit: string, verb: 'wants' | 'requires'): string {
  return AT_BOOT.test(unit) ? `at boot (${unit} ${verb} it)` : `by ${unit}, which ${verb} it`;
}
