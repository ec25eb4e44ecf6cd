import { quote } from '../base/escape-text.js';
import { getValue, type UnitDocument } from '../systemd/unit-text.js';

/** Of a socket without `SocketMode=`: everybody may connect (systemd.socket(5)). */
const DEFAULT_MODE = '0666';

/** Who may connect to a socket and could not before, in a person's words; nothing for a unit that is none. */
export function loosenedSocket(
  before: UnitDocument | undefined,
  after: UnitDocument,
): readonly string[] {
  // Of a new one all is told by where it listens.
  if (before === undefined) return [];
  const value = (document: UnitDocument, key: string): string =>
    getValue(document, 'Socket', key) ?? '';
  const [oldMode, mode] = [before, after].map(
    (document) => getValue(document, 'Socket', 'SocketMode') ?? DEFAULT_MODE,
  );
  const owners = ['SocketUser', 'SocketGroup'].flatMap((key) => {
    const [old, now] = [value(before, key), value(after, key)];
    return now === old || isRoots(now) ? [] : [`has ${key}=${quote(now)}`];
  });
  return [
    ...(adds(oldMode, mode)
      ? [`has SocketMode=${quote(mode ?? '')} in place of ${quote(oldMode ?? '')}`]
      : []),
    ...owners,
    ...(value(before, 'BindToDevice') !== '' && value(after, 'BindToDevice') === ''
      ? [`no longer has BindToDevice=${quote(value(before, 'BindToDevice'))}`]
      : []),
  ];
}

/** Root may connect whoever else may. */
function isRoots(owner: string): boolean {
  return ['', 'root', '0'].includes(owner);
}

/** What is no mode may be any. */
function adds(before = DEFAULT_MODE, after = DEFAULT_MODE): boolean {
  const [old, now] = [before, after].map((mode) =>
    /^[0-7]+$/.test(mode) ? Number.parseInt(mode, 8) : undefined,
  );
  if (now === undefined || old === undefined) return before !== after;
  return (now & ~old) !== 0;
}
