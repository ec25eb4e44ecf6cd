import { getValues, getWords, listAssignments, type UnitDocument } from '../systemd/unit-text.js';

/** A path as a unit has it. */
export interface WrittenPath {
  readonly key: string;
  readonly written: string;
}

/** Where folders of a service are (systemd.exec(5)), as specifiers. */
const FOLDERS = [
  ['StateDirectory', '%S'],
  ['CacheDirectory', '%C'],
  ['LogsDirectory', '%L'],
  ['ConfigurationDirectory', '%E'],
  ['RuntimeDirectory', '%t'],
] as const;

/**
 * What systemd itself makes, opens or removes for a service, as root: folders, which it gives to the user of the service with
 * all that is in them and some of which it removes when that stops; links to them (`FOLDER:LINK`); the pid file, which it removes,
 * too, whatever it is; and the files that the program reads or writes without ever opening them.
 */
export function pathsOfService(document: UnitDocument): readonly WrittenPath[] {
  return [
    ...pathsOfExecution(document, 'Service'),
    // Any of them: systemd passes over a later one that it cannot read.
    ...getValues(document, 'Service', 'PIDFile').map((path) => ({
      key: 'PIDFile',
      written: /^[/%]/.test(path) ? path : `%t/${path}`,
    })),
  ];
}

/** The same of what any unit runs its commands in: a socket has the directives for those of a service, and folders without a command. */
export function pathsOfExecution(
  document: UnitDocument,
  section: 'Service' | 'Socket',
): readonly WrittenPath[] {
  return [
    ...FOLDERS.flatMap(([key, base]) =>
      getWords(document, section, key).flatMap((word) =>
        // A third part has flags.
        word
          .split(':')
          .slice(0, 2)
          .filter((path) => path !== '')
          .map((path) => ({ key, written: `${base}/${path}` })),
      ),
    ),
    ...listAssignments(document).flatMap((assignment): readonly WrittenPath[] => {
      const { key, value } = assignment;
      if (assignment.section !== section || value === '') return [];
      // PATH, or PATH:NAME:OPTIONS
      if (key === 'OpenFile') return [{ key, written: value.split(':')[0] ?? '' }];
      const [, path] = /^(?:StandardInput|StandardOutput|StandardError)$/.test(key)
        ? (/^(?:file|append|truncate):(.*)$/.exec(value) ?? [])
        : [];
      return path === undefined ? [] : [{ key, written: path }];
    }),
  ];
}
