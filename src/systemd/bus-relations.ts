import { asBigInt, type Properties } from './bus-values.js';
import { PULL_DIRECTIVES, type Pull, type UnitRelations } from './unit-relations.js';

/** How a unit stands to others, from its properties (org.freedesktop.systemd1.Unit). */
export function readBusRelations(unit: string, properties: Properties): UnitRelations {
  const texts = (name: string): readonly string[] => {
    const value = properties.get(name);
    return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
  };
  const text = (name: string): string => {
    const value = properties.get(name);
    return typeof value === 'string' ? value : '';
  };
  const pulled = (kind: Pull): readonly string[] => texts(PULL_DIRECTIVES[kind]);
  const fragment = text('FragmentPath');
  return {
    unit,
    loadState: text('LoadState'),
    after: texts('After'),
    before: texts('Before'),
    conflicts: texts('Conflicts'),
    requires: pulled('requires'),
    requisite: pulled('requisite'),
    bindsTo: pulled('bindsTo'),
    wants: pulled('wants'),
    upholds: pulled('upholds'),
    partOf: pulled('partOf'),
    mountPaths: [...texts('RequiresMountsFor'), ...texts('WantsMountsFor')],
    defaultDependencies: properties.get('DefaultDependencies') !== false,
    startingAtUs: Number(asBigInt(properties.get('InactiveExitTimestampMonotonic')) ?? 0n),
    activeAtUs: Number(asBigInt(properties.get('ActiveEnterTimestampMonotonic')) ?? 0n),
    files: [...(fragment === '' ? [] : [fragment]), ...texts('DropInPaths')],
  };
}
