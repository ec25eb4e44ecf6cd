import { PULL_DIRECTIVES, type Pull, type UnitRelations } from './unit-relations.js';
import { parseUnitName, templateOf } from './unit-name.js';
import { getValue, getWords, parseUnit } from './unit-text.js';
import { entriesOf, type UnitTree } from './unit-tree.js';

/**
 * How a unit of a tree stands to others, from its file, its drop-ins and the `.wants` and `.requires` links beside it.
 * What other units say of it, and what systemd adds by itself, is not in there.
 */
export function readTreeRelations(tree: UnitTree, name: string): UnitRelations {
  const unit = parseUnitName(name);
  const found = tree.find(unit);
  const template = templateOf(unit);
  const dropIns = tree.listDropIns(template === undefined ? [unit] : [template, unit]);
  const texts = [found?.text ?? '', ...dropIns.map(({ text }) => text)];
  const document = parseUnit(texts.join('\n'));
  // Names with specifiers are known to the manager that expands them.
  const words = (key: string): readonly string[] =>
    getWords(document, 'Unit', key).filter((word) => !word.includes('%'));
  const pulled = (kind: Pull): readonly string[] => [
    ...new Set([
      ...words(PULL_DIRECTIVES[kind]),
      ...(kind === 'wants' || kind === 'requires' || kind === 'upholds'
        ? linkedUnits(tree, unit, kind)
        : []),
    ]),
  ];
  return {
    unit,
    loadState: found === undefined ? 'not-found' : found.kind === 'masked' ? 'masked' : 'loaded',
    after: words('After'),
    before: words('Before'),
    conflicts: words('Conflicts'),
    requires: pulled('requires'),
    requisite: pulled('requisite'),
    bindsTo: pulled('bindsTo'),
    wants: pulled('wants'),
    upholds: pulled('upholds'),
    partOf: pulled('partOf'),
    mountPaths: [...words('RequiresMountsFor'), ...words('WantsMountsFor')],
    defaultDependencies: !/^(?:no|false|off|0)$/i.test(
      getValue(document, 'Unit', 'DefaultDependencies') ?? 'yes',
    ),
    startingAtUs: 0,
    activeAtUs: 0,
    files: [...(found === undefined ? [] : [found.path]), ...dropIns.map(({ path }) => path)],
  };
}

function linkedUnits(tree: UnitTree, unit: string, kind: string): readonly string[] {
  return tree.directories.flatMap(
    (directory) =>
      tree.inDirectory(`${directory}/${unit}.${kind}`, (at) =>
        entriesOf(at)
          .map(({ name }) => name)
          .filter((name) => /\.[a-z]+$/.test(name)),
      ) ?? [],
  );
}
