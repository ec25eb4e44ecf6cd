import { quote } from '../base/escape-text.js';
import { DROP_IN_NAME } from '../systemd/drop-in.js';
import { getWords, parseUnit } from '../systemd/unit-text.js';
import type { PermittedSide } from './gained-permissions.js';
import type { Host } from './host.js';
import { readDeployments } from './list-containers.js';
import { isPassiveTarget } from './loosened-directives.js';

/**
 * Units of the host that another version starts or stops when it starts, and the one before does not, in a person's words: those that
 * its image names as what it requires or conflicts with. That it requires another container is none of it.
 *
 * @param coming Containers that are installed together with it.
 */
export async function gainedNeighbours(
  host: Host,
  { before, after }: { readonly before: PermittedSide; readonly after: PermittedSide },
  coming: readonly { readonly name: string }[] = [],
): Promise<readonly string[]> {
  const [starts, stops] = (['Requires', 'Conflicts'] as const).map((key) => {
    const had = new Set(unitsOf(before, key));
    return unitsOf(after, key).filter((unit) => !had.has(unit));
  });
  const others = starts?.filter((unit) => !isPassiveTarget(unit)) ?? [];
  const known =
    others.length === 0
      ? new Set<string>()
      : new Set([
          ...(await readDeployments(host)).deployments.flatMap(({ units }) => units),
          ...coming.map(({ name }) => `${name}.service`),
        ]);
  return [
    ...others
      .filter((unit) => !known.has(unit))
      .map((unit) => `starts ${quote(unit)} of the host, which it requires`),
    ...(stops ?? []).map((unit) => `stops ${quote(unit)} of the host, which it conflicts with`),
  ];
}

function unitsOf({ texts }: PermittedSide, key: string): readonly string[] {
  return getWords(parseUnit(texts.get(DROP_IN_NAME) ?? ''), 'Unit', key);
}
