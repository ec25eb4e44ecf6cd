import { getWords, type UnitDocument } from '../systemd/unit-text.js';

/** Who starts a unit, from its text, in a person's words. */
export function describeStarters(
  unit: UnitDocument,
  options: { readonly enable: boolean },
): readonly string[] {
  const wanted = getWords(unit, 'Install', 'WantedBy').map((by) => describeTarget(by, 'wants'));
  const required = getWords(unit, 'Install', 'RequiredBy').map((by) =>
    describeTarget(by, 'requires'),
  );
  const starters = options.enable ? [...wanted, ...required] : [];
  return starters.length === 0 ? ['by hand only (systemctl start)'] : starters;
}

function describeTarget(unit: string, verb: 'wants' | 'requires'): string {
  return unit === 'multi-user.target' || unit === 'default.target' || unit === 'graphical.target'
    ? `at boot (${unit} ${verb} it)`
    : `by ${unit}, which ${verb} it`;
}
