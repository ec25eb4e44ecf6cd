import { splitUnitLines, type UnitLine } from '../base/unit-lines.js';

/** A unit file as a value: its lines, from which the text comes back byte for byte. */
export interface UnitDocument {
  readonly lines: readonly UnitLine[];
}

/** One directive of a unit. */
export interface UnitAssignment {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  /** 1-based. */
  readonly line: number;
}

/** Parses the text of a unit or drop-in (systemd.syntax(7)). Never fails; `checkUnit` says what is wrong with it. */
export function parseUnit(text: string): UnitDocument {
  return { lines: splitUnitLines(text) };
}

/** The text of a unit, exactly as it was parsed. */
export function formatUnit(unit: UnitDocument): string {
  return unit.lines.map((line) => line.raw).join('');
}

/** All directives in order, resets (`KEY=`) included. */
export function listAssignments(unit: UnitDocument): readonly UnitAssignment[] {
  return unit.lines.flatMap((line) =>
    line.kind === 'assignment'
      ? [{ section: line.section, key: line.key, value: line.value, line: line.line }]
      : [],
  );
}

/** The values of a directive that holds several, as systemd collects them: an empty one forgets those before it. */
export function getValues(unit: UnitDocument, section: string, key: string): readonly string[] {
  let values: string[] = [];
  for (const assignment of listAssignments(unit)) {
    if (assignment.section !== section || assignment.key !== key) continue;
    if (assignment.value === '') values = [];
    else values.push(assignment.value);
  }
  return values;
}

/** The value of a directive that holds one: the last; undefined where there is none or it is empty. */
export function getValue(unit: UnitDocument, section: string, key: string): string | undefined {
  const last = listAssignments(unit)
    .filter((assignment) => assignment.section === section && assignment.key === key)
    .at(-1)?.value;
  return last === '' ? undefined : last;
}

/** The words of a list-valued directive without quotes, such as `WantedBy=` or `After=`, over all its lines. */
export function getWords(unit: UnitDocument, section: string, key: string): readonly string[] {
  return getValues(unit, section, key).flatMap((value) =>
    value.split(/[ \t]+/).filter((word) => word !== ''),
  );
}
