import type { Bus } from './bus.js';
import { asRows, asString } from './bus-values.js';
import { MANAGER } from './manager-address.js';

/** Every `ActiveState` but `inactive` (src/basic/unit-def.h), of which `refreshing` came last, in 256. */
const NOT_INACTIVE: readonly string[] = [
  ...['active', 'reloading', 'failed', 'activating', 'deactivating', 'maintenance', 'refreshing'],
];

/** The version of systemd up to which {@link NOT_INACTIVE} is known to be all. */
const LAST_KNOWN_VERSION = 262;

const nothing = (): void => undefined;

/**
 * Asks for the states of the units that match patterns, as far as they are something else than inactive: to say that of
 * a thousand takes systemd ten times as long (8 ms), and it reads the files of those that are not loaded for it. The promise is
 * fulfilled once the question is on its way.
 */
export async function askActiveStates(
  bus: Bus,
  {
    patterns,
    version,
    signal,
  }: {
    readonly patterns: readonly string[];
    /** Of systemd. */
    readonly version: Promise<number | undefined>;
    readonly signal: AbortSignal | undefined;
  },
): Promise<{ readonly answer: Promise<ReadonlyMap<string, string>> }> {
  let onSent = (): void => undefined;
  const sent = new Promise<void>((resolve) => {
    onSent = resolve;
  });
  const ask = async (states: readonly string[]): Promise<ReadonlyMap<string, string>> => {
    const [rows] = await bus.call(
      { ...MANAGER, member: 'ListUnitsByPatterns', signature: 'asas', body: [states, patterns] },
      { signal, onSent },
    );
    return new Map(asRows(rows).map(([unit, , , state]) => [asString(unit), asString(state)]));
  };
  const known = ask(NOT_INACTIVE);
  const answer = version.then((number = Number.POSITIVE_INFINITY) =>
    // A state that came later is in no list of ours, and what is in it is not inactive.
    number > LAST_KNOWN_VERSION ? ask([]) : known,
  );
  // Who asks waits for it later, and is told then.
  answer.catch(nothing);
  // A connection that is lost sends nothing more.
  await Promise.race([sent, known.then(nothing, nothing)]);
  return { answer };
}
