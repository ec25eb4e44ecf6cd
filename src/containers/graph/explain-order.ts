import { unescapeUnitText } from '../../systemd/unit-name.js';
import { PULL_DIRECTIVES } from '../../systemd/unit-relations.js';
import type { ContainerBrief } from '../container-brief.js';
import { covers } from '../host-path-policy.js';
import { answersTo, unitOf } from '../resolve-dependencies.js';
import type { PlacedDirective, UnitReader } from './unit-reader.js';

/** Why two units stand to each other as they do. */
export type Reason =
  | {
      readonly kind: 'directive';
      /** `After`, `Requires`, … */
      readonly directive: string;
      readonly file: string;
      /** 1-based. */
      readonly line: number;
    }
  | {
      readonly kind: 'image';
      readonly container: string;
      /** `requires`, `after` or `before`, and the name that the image gave. */
      readonly says: string;
      readonly name: string;
    }
  | {
      readonly kind: 'implicit';
      /** The rule, in words. */
      readonly rule: string;
      readonly file: string | undefined;
      readonly line: number | undefined;
    };

/** What is to be explained. */
export interface OrderToExplain {
  readonly first: string;
  readonly then: string;
  readonly pulls: ReadonlySet<string>;
  readonly ordered: boolean;
}

interface Context {
  readonly reader: UnitReader;
  readonly containers: ReadonlyMap<string, ContainerBrief>;
}

/** Finds who says that `then` waits for `first`, or brings it along. */
export async function explainOrder(
  order: OrderToExplain,
  context: Context,
): Promise<{ reasons: readonly Reason[]; usual: boolean }> {
  const { first, then } = order;
  const { reader, containers } = context;
  const ofThen = await reader.directives(then);
  const ofFirst = await reader.directives(first);
  const wanted = new Set(['After', ...Object.values(PULL_DIRECTIVES)]);
  const said: Reason[] = [
    ...ofThen.filter(({ key, value }) => wanted.has(key) && names(value, first)).map(directive),
    ...ofFirst.filter(({ key, value }) => key === 'Before' && names(value, then)).map(directive),
    ...ofFirst
      .filter(({ key, value }) => /^(?:Wanted|Required)By$/.test(key) && names(value, then))
      .map(directive),
    ...imageReasons(order, containers),
  ];
  if (!order.ordered || said.some((reason) => reason.kind === 'image' || isOrdering(reason))) {
    return { reasons: said, usual: false };
  }
  const rule = findRule(order, ofThen);
  return { reasons: [...said, rule], usual: said.length === 0 && isUsual(order) };
}

function isOrdering(reason: Reason): boolean {
  return reason.kind === 'directive' && /^(?:After|Before)$/.test(reason.directive);
}

function directive({ key, file, line }: PlacedDirective): Reason {
  return { kind: 'directive', directive: key, file, line };
}

function names(value: string, unit: string): boolean {
  return value.split(/[ \t]+/).includes(unit);
}

function imageReasons(
  { first, then }: OrderToExplain,
  containers: ReadonlyMap<string, ContainerBrief>,
): readonly Reason[] {
  const means = (wanted: string, unit: string): boolean => {
    const container = containers.get(unit);
    return container === undefined ? unitOf(wanted) === unit : answersTo(container, wanted);
  };
  const said = (unit: string, says: 'requires' | 'after' | 'before', other: string): Reason[] => {
    const container = containers.get(unit);
    return (container?.dependencies[says] ?? [])
      .filter((wanted) => means(wanted, other))
      .map((name) => ({ kind: 'image', container: container?.name ?? '', says, name }));
  };
  return [
    ...said(then, 'requires', first),
    ...said(then, 'after', first),
    ...said(first, 'before', then),
  ];
}

/** The rules by which systemd orders units that do not name each other (systemd.unit(5), systemd.service(5), systemd.exec(5)). */
function findRule(
  { first, then, pulls }: OrderToExplain,
  ofThen: readonly PlacedDirective[],
): Reason {
  const implicit = (rule: string, at?: PlacedDirective): Reason => ({
    kind: 'implicit',
    rule,
    file: at?.file,
    line: at?.line,
  });
  if (first.endsWith('.mount') || first.endsWith('.automount')) {
    const mount = mountPath(first);
    const at = ofThen.find(
      ({ key, value }) =>
        /^(?:Requires|Wants)MountsFor$/.test(key) &&
        value.split(/[ \t]+/).some((path) => mount !== undefined && covers(mount, path)),
    );
    return at === undefined
      ? implicit('a path that it uses lies on that mount')
      : implicit(`${at.key}= has a path on that mount`, at);
  }
  if (USUAL.has(first) || then === 'shutdown.target')
    return implicit('DefaultDependencies= of every service');
  if (first.endsWith('.slice')) return implicit('Slice= is the control group that it is in');
  if (first === 'systemd-journald.socket') return implicit('its output goes to the journal');
  if (first.startsWith('systemd-tmpfiles-setup'))
    return implicit('it has folders that are made at boot');
  if (/\.(?:socket|timer|path)$/.test(first) && stem(first) === stem(then)) {
    return implicit('that unit activates it');
  }
  if (then.endsWith('.target') && pulls.size > 0) {
    return implicit('a target waits for the units that it brings along');
  }
  return implicit('a rule of systemd');
}

const USUAL: ReadonlySet<string> = new Set(['sysinit.target', 'basic.target']);

function isUsual({ first, then }: OrderToExplain): boolean {
  return (
    USUAL.has(first) ||
    then === 'shutdown.target' ||
    first === '-.mount' ||
    first === 'systemd-journald.socket' ||
    first.endsWith('.slice')
  );
}

function stem(unit: string): string {
  return unit.slice(0, unit.lastIndexOf('.'));
}

function mountPath(unit: string): string | undefined {
  const escaped = stem(unit);
  try {
    return escaped === '-' ? '/' : `/${unescapeUnitText(escaped)}`;
  } catch {
    return undefined; // no name that systemd gave a mount
  }
}
