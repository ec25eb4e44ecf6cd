import { getValue, getWords, listAssignments, type UnitDocument } from '../systemd/unit-text.js';
import type { WrittenPath } from './activator-places.js';

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
  const pidFile = getValue(document, 'Service', 'PIDFile') ?? '';
  return [
    ...FOLDERS.flatMap(([key, base]) =>
      getWords(document, 'Service', key).flatMap((word) =>
        // A third part has flags.
        word
          .split(':')
          .slice(0, 2)
          .filter((path) => path !== '')
          .map((path) => ({ key, written: `${base}/${path}` })),
      ),
    ),
    ...(pidFile === ''
      ? []
      : [{ key: 'PIDFile', written: /^[/%]/.test(pidFile) ? pidFile : `%t/${pidFile}` }]),
    ...listAssignments(document).flatMap(({ section, key, value }): readonly WrittenPath[] => {
      if (section !== 'Service' || value === '') return [];
      // PATH, or PATH:NAME:OPTIONS
      if (key === 'OpenFile') return [{ key, written: value.split(':')[0] ?? '' }];
      const [, path] = /^(?:StandardInput|StandardOutput|StandardError)$/.test(key)
        ? (/^(?:file|append|truncate):(.*)$/.exec(value) ?? [])
        : [];
      return path === undefined ? [] : [{ key, written: path }];
    }),
  ];
}
