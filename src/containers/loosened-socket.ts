import { quote } from '../base/escape-text.js';
import { getValue, type UnitDocument } from '../systemd/unit-text.js';

/** Of a socket without `SocketMode=`: everybody may connect (systemd.socket(5)). */
const DEFAULT_MODE = '0666';

/** Of the folders on the way to a socket, and of those that a path makes. */
const DEFAULT_DIRECTORY_MODE = '0755';

/** What of a socket reaches further where it is on. */
const WIDENING = ['Transparent', 'Writable'];

/** Who may connect to a socket and could not before, and from where, in a person's words; nothing for a unit that is none. */
export function loosenedSocket(
  before: UnitDocument | undefined,
  after: UnitDocument,
): readonly string[] {
  // Of a new one all is told by where it listens.
  if (before === undefined) return [];
  const value = (document: UnitDocument, key: string): string =>
    getValue(document, 'Socket', key) ?? '';
  const owners = ['SocketUser', 'SocketGroup'].flatMap((key) => {
    const [old, now] = [value(before, key), value(after, key)];
    return now === old || isRoots(now) ? [] : [`has ${key}=${quote(now)}`];
  });
  return [
    ...widerMode([before, after], { section: 'Socket', key: 'SocketMode', usual: DEFAULT_MODE }),
    ...['Socket', 'Path'].flatMap((section) =>
      widerMode([before, after], { section, key: 'DirectoryMode', usual: DEFAULT_DIRECTORY_MODE }),
    ),
    ...owners,
    ...['BindToDevice', 'BindIPv6Only'].flatMap((key) => {
      const [old, now] = [value(before, key), value(after, key)];
      if (old === '' || old === now) return [];
      return now === ''
        ? [`no longer has ${key}=${quote(old)}`]
        : [`has ${key}=${quote(now)} in place of ${quote(old)}`];
    }),
    ...[...WIDENING, 'Mark'].flatMap((key) => {
      const [old, now] = [value(before, key), value(after, key)];
      const isOff = now === '' || (key !== 'Mark' && /^(?:0|no|n|false|f|off)$/i.test(now));
      return now === old || isOff ? [] : [`has ${key}=${quote(now)}`];
    }),
  ];
}

function widerMode(
  documents: readonly [before: UnitDocument, after: UnitDocument],
  {
    section,
    key,
    usual,
  }: { readonly section: string; readonly key: string; readonly usual: string },
): readonly string[] {
  const [old, now] = documents.map((document) => getValue(document, section, key) ?? usual);
  return adds(old, now) ? [`has ${key}=${quote(now ?? '')} in place of ${quote(old ?? '')}`] : [];
}

/** Root may connect whoever else may. */
function isRoots(owner: string): boolean {
  return ['', 'root', '0'].includes(owner);
}

/** What is no mode may be any. */
function adds(before = DEFAULT_MODE, after = DEFAULT_MODE): boolean {
  const [old, now] = [before, after].map((mode) =>
    /^0*[0-7]{1,4}$/.test(mode) ? Number.parseInt(mode, 8) : undefined,
  );
  if (now === undefined || old === undefined) return before !== after;
  return (now & ~old) !== 0;
}
