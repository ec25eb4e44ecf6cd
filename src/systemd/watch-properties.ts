import type { Bus } from './bus.js';

const PROPERTIES = 'org.freedesktop.DBus.Properties';

/**
 * Calls `onChange` whenever one of the objects announces changed properties, until the result is disposed of. The
 * manager sends its signals only to those that have called `Subscribe`.
 */
export async function watchProperties(
  bus: Bus,
  paths: ReadonlySet<string>,
  onChange: () => void,
): Promise<AsyncDisposable> {
  const rules = [...paths].map(
    (path) =>
      `type='signal',sender='org.freedesktop.systemd1',interface='${PROPERTIES}',member='PropertiesChanged',path='${path}'`,
  );
  const stopListening = bus.listen((signal) => {
    if (signal.member === 'PropertiesChanged' && paths.has(signal.path)) onChange();
  });
  for (const rule of rules) await bus.call(match('AddMatch', rule));
  return {
    async [Symbol.asyncDispose]() {
      stopListening();
      // A bus that is gone has forgotten its rules.
      for (const rule of rules) await bus.call(match('RemoveMatch', rule)).catch(() => undefined);
    },
  };
}

function match(member: 'AddMatch' | 'RemoveMatch', rule: string): Parameters<Bus['call']>[0] {
  return {
    destination: 'org.freedesktop.DBus',
    path: '/org/freedesktop/DBus',
    interface: 'org.freedesktop.DBus',
    member,
    signature: 's',
    body: [rule],
  };
}
